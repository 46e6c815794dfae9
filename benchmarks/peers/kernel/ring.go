//go:build linux

package main

import (
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The kernel's interface: io_uring_setup(2), io_uring_enter(2), io_uring_register(2).
const (
	setupClamp        = 1 << 4
	setupCoopTaskrun  = 1 << 8
	setupSingleIssuer = 1 << 12
	setupDeferTaskrun = 1 << 13

	opAccept = 13
	opSend   = 26
	opRecv   = 27

	acceptMultishot = 1 << 0
	recvMultishot   = 1 << 1
	bufferSelect    = 1 << 5
	skipSuccess     = 1 << 6

	enterGetEvents   = 1
	registerBufRing  = 22
	completionMore   = 1 << 1
	offSQ, offCQ     = 0, 0x8000000
	offSQEs          = 0x10000000
	buffers, bufSize = 1024, 2048
)

type submission struct {
	opcode, flags  uint8
	priority       uint16
	fd             int32
	off, addr      uint64
	length, opFlag uint32
	user           uint64
	group, person  uint16
	file           int32
	_              [2]uint64
}

type completion struct {
	user   uint64
	result int32
	flags  uint32
}

func (c completion) more() bool { return c.flags&completionMore != 0 }

type params struct {
	sqEntries, cqEntries, flags, cpu, idle, features, wq uint32
	_                                                    [3]uint32
	sq                                                   struct {
		head, tail, mask, entries, flags, dropped, array, _ uint32
		_                                                   uint64
	}
	cq struct {
		head, tail, mask, entries, overflow, cqes, flags, _ uint32
		_                                                   uint64
	}
}

type ring struct {
	fd             uintptr
	sqHead, sqTail *uint32
	sqMask         uint32
	cqHead, cqTail *uint32
	cqMask         uint32
	array          []uint32
	sqes           []submission
	cqes           []completion
	tail, head     uint32 // ours
	pending        uint32

	bufs    []byte
	entries []bufEntry
	bufTail *uint32 // in its upper half; the lower is the first entry's id
	given   uint16
}

type bufEntry struct {
	addr   uint64
	length uint32
	id     uint16
	_      uint16
}

//nolint:gosec // memory that is shared with the kernel
func newRing(entries uint32) (*ring, error) {
	p := params{flags: setupClamp | setupSingleIssuer | setupDeferTaskrun | setupCoopTaskrun}
	fd, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, uintptr(entries), uintptr(unsafe.Pointer(&p)), 0)
	if errno != 0 {
		return nil, fmt.Errorf("io_uring_setup: %w", errno)
	}
	mem := func(off int64, size uint32) ([]byte, error) {
		return unix.Mmap(int(fd), off, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	}
	size := max(p.sq.array+p.sqEntries*4, p.cq.cqes+p.cqEntries*16)
	rings, err := mem(offSQ, size)
	if err != nil {
		return nil, err
	}
	sqes, err := mem(offSQEs, p.sqEntries*64)
	if err != nil {
		return nil, err
	}
	at := func(off uint32) *uint32 { return (*uint32)(unsafe.Pointer(&rings[off])) }
	r := &ring{
		fd:     fd,
		sqHead: at(p.sq.head), sqTail: at(p.sq.tail), sqMask: *at(p.sq.mask),
		cqHead: at(p.cq.head), cqTail: at(p.cq.tail), cqMask: *at(p.cq.mask),
		array: unsafe.Slice(at(p.sq.array), p.sqEntries),
		sqes:  unsafe.Slice((*submission)(unsafe.Pointer(&sqes[0])), p.sqEntries),
		cqes:  unsafe.Slice((*completion)(unsafe.Pointer(&rings[p.cq.cqes])), p.cqEntries),
	}
	return r, r.provide()
}

// provide gives the kernel its buffers.
//
//nolint:gosec // memory that is shared with the kernel
func (r *ring) provide() error {
	shared, err := unix.Mmap(-1, 0, buffers*16, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return err
	}
	if r.bufs, err = unix.Mmap(-1, 0, buffers*bufSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE); err != nil {
		return err
	}
	r.entries = unsafe.Slice((*bufEntry)(unsafe.Pointer(&shared[0])), buffers)
	r.bufTail = (*uint32)(unsafe.Pointer(&shared[12]))
	reg := struct {
		addr      uint64
		entries   uint32
		group, fl uint16
		_         [3]uint64
	}{addr: uint64(uintptr(unsafe.Pointer(&shared[0]))), entries: buffers}
	if _, _, errno := unix.Syscall6(unix.SYS_IO_URING_REGISTER, r.fd, registerBufRing, uintptr(unsafe.Pointer(&reg)), 1, 0, 0); errno != 0 {
		return fmt.Errorf("io_uring_register: %w", errno)
	}
	for id := range uint16(buffers) {
		r.give(id)
	}
	r.publish()
	return nil
}

//nolint:gosec // memory that is shared with the kernel
func (r *ring) give(id uint16) {
	e := &r.entries[r.given&(buffers-1)]
	e.addr, e.length, e.id = uint64(uintptr(unsafe.Pointer(&r.bufs[int(id)*bufSize]))), bufSize, id
	r.given++
}

func (r *ring) publish() {
	atomic.StoreUint32(r.bufTail, uint32(r.entries[0].id)|uint32(r.given)<<16)
}

func (r *ring) buffer(c completion) []byte {
	at := int(c.flags>>16) * bufSize
	return r.bufs[at : at+int(c.result)]
}

func (r *ring) giveBack(c completion) {
	r.give(uint16(c.flags >> 16))
	r.publish()
}

func (r *ring) submit(s submission) {
	if r.tail-atomic.LoadUint32(r.sqHead) == uint32(len(r.sqes)) {
		_ = r.enter(0)
	}
	i := r.tail & r.sqMask
	r.sqes[i], r.array[i] = s, i
	r.tail++
	r.pending++
}

func (r *ring) accept(fd int32, user uint64) {
	r.submit(submission{opcode: opAccept, priority: acceptMultishot, fd: fd, user: user})
}

func (r *ring) receive(fd int32, user uint64) {
	r.submit(submission{opcode: opRecv, flags: bufferSelect, priority: recvMultishot, fd: fd, user: user})
}

//nolint:gosec // p stays as it is until the answer to it has come
func (r *ring) send(fd int32, p []byte, user uint64) {
	r.submit(submission{opcode: opSend, flags: skipSuccess, fd: fd, addr: uint64(uintptr(unsafe.Pointer(&p[0]))), length: uint32(len(p)), opFlag: unix.MSG_NOSIGNAL, user: user})
}

// wait submits what there is, and waits for a completion.
func (r *ring) wait() error { return r.enter(1) }

func (r *ring) enter(least uintptr) error {
	atomic.StoreUint32(r.sqTail, r.tail)
	n, _, errno := unix.Syscall6(unix.SYS_IO_URING_ENTER, r.fd, uintptr(r.pending), least, enterGetEvents, 0, 0)
	if errno != 0 && errno != unix.EINTR {
		return fmt.Errorf("io_uring_enter: %w", errno)
	}
	if errno == 0 {
		r.pending -= uint32(n)
	}
	return nil
}

func (r *ring) next() (c completion, ok bool) {
	if r.head == atomic.LoadUint32(r.cqTail) {
		return c, false
	}
	c = r.cqes[r.head&r.cqMask]
	r.head++
	return c, true
}

func (r *ring) seen() { atomic.StoreUint32(r.cqHead, r.head) }
