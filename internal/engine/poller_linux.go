package engine

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/portico-go/portico/internal/mailbox"
	"github.com/portico-go/portico/internal/wheel"
)

// A Poller tells streams what their sockets are ready for, and Watches of hang-ups. It has
// one set of sockets for each core, and takes care of the streams of many engines.
type Poller struct {
	sets []*pollSet
	next atomic.Uint32
}

// NewPoller returns a Poller, which is to be closed when its streams are over.
func NewPoller() (*Poller, error) {
	p := &Poller{}
	for range runtime.GOMAXPROCS(0) {
		set, err := newPollSet()
		if err != nil {
			return nil, errors.Join(err, p.Close())
		}
		p.sets = append(p.sets, set)
	}
	return p, nil
}

// Close ends the poller; no stream hears of its socket any more.
func (p *Poller) Close() error {
	var errs []error
	for _, set := range p.sets {
		errs = append(errs, set.close())
	}
	return errors.Join(errs...)
}

// set returns the set for another socket.
func (p *Poller) set() *pollSet { return p.sets[int(p.next.Add(1))%len(p.sets)] }

// streams calls f for the streams of an engine.
func (p *Poller) streams(e *Engine, f func(*Stream)) {
	for _, set := range p.sets {
		set.each(func(s *Stream) {
			if s.engine == e {
				f(s)
			}
		})
	}
}

// A pollSet is an edge-triggered epoll set, which is waited for through the
// runtime's poller: so it occupies no thread.
type pollSet struct {
	file *os.File
	fd   int
	done chan struct{}

	runners mailbox.Runners     // of the streams in the set
	wheel   *wheel.Wheel[*Conn] // of those that are no streams yet

	mu    sync.Mutex
	pages []*page
	free  []uint32 // slots without an owner
}

// pageSize is how many slots are allocated at once, and stay where they are.
const pageSize = 256

type page [pageSize]slot

// A slot is a registration. The kernel hands its number and generation back with
// each event, so that a late one never meets the slot's next stream.
type slot struct {
	owner      pollable // nil if it is free
	generation uint32
}

// A pollable is whom a socket belongs to.
type pollable interface {
	// ready is told what the socket is ready for, with no lock held. It may come late:
	// when the socket has another owner, or none.
	ready(events uint32)
}

func newPollSet() (*pollSet, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("engine: cannot poll: %w", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("engine: cannot poll: %w", err)
	}
	set := &pollSet{file: os.NewFile(uintptr(fd), "epoll"), fd: fd, done: make(chan struct{}), wheel: wheel.New[*Conn](tick)}
	raw, err := set.file.SyscallConn()
	if err != nil {
		_ = set.file.Close()
		return nil, fmt.Errorf("engine: cannot poll: %w", err)
	}
	go set.run(raw)
	return set, nil
}

func (p *pollSet) close() error {
	err := p.file.Close()
	<-p.done
	return err
}

func (p *pollSet) at(i uint32) *slot { return &p.pages[i/pageSize][i%pageSize] }

// What the kernel is to tell of a socket. Errors and hang-ups it always tells.
const (
	input   = unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET&0xffffffff
	nothing = unix.EPOLLET & 0xffffffff
)

// add registers a socket, of whose events owner is told, and returns the slot.
func (p *pollSet) add(owner pollable, fd int32, events uint32) (uint32, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.free) == 0 {
		first := uint32(len(p.pages) * pageSize)
		p.pages = append(p.pages, new(page))
		for i := range uint32(pageSize) {
			p.free = append(p.free, first+pageSize-1-i)
		}
	}
	i := p.free[len(p.free)-1]
	slot := p.at(i)
	event := slot.event(i, events)
	if err := unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, int(fd), &event); err != nil {
		return 0, fmt.Errorf("engine: cannot poll: %w", err)
	}
	p.free = p.free[:len(p.free)-1]
	slot.owner = owner
	return i, nil
}

// askRoom has the owner of d told when there is room to write, also if there is now.
func (p *pollSet) askRoom(d *descriptor) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	event := p.at(d.slot).event(d.slot, input|unix.EPOLLOUT)
	return unix.EpollCtl(p.fd, unix.EPOLL_CTL_MOD, int(d.fd), &event)
}

// event is what the kernel is told of slot i.
func (s *slot) event(i, events uint32) unix.EpollEvent {
	return unix.EpollEvent{Events: events, Fd: int32(i), Pad: int32(s.generation)}
}

// move has owner told about d from now on.
func (p *pollSet) move(d *descriptor, owner pollable) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at(d.slot).owner = owner
}

// remove forgets a socket. The kernel forgets it too when it is closed, and what it tells
// until then is of an old generation.
func (p *pollSet) remove(i uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	slot := p.at(i)
	slot.owner = nil
	slot.generation++
	p.free = append(p.free, i)
}

// each calls f for each stream, without the lock.
func (p *pollSet) each(f func(*Stream)) {
	p.mu.Lock()
	var streams []*Stream
	for _, page := range p.pages {
		for i := range page {
			if s, ok := page[i].owner.(*Stream); ok {
				streams = append(streams, s)
			}
		}
	}
	p.mu.Unlock()
	for _, s := range streams {
		f(s)
	}
}

// run tells streams of their events.
func (p *pollSet) run(raw syscall.RawConn) {
	defer close(p.done)
	events := make([]unix.EpollEvent, 256)
	owners := make([]pollable, len(events))
	_ = raw.Read(func(fd uintptr) (done bool) { // ends when the file is closed
		for {
			n, err := look(fd, events)
			if errors.Is(err, unix.EINTR) {
				continue
			}
			if err != nil {
				return true
			}
			p.tell(events[:n], owners)
			if n < len(events) { // whatever comes now wakes the set again
				return false
			}
		}
	})
}

// tell looks the owners up under one lock, and then tells each of its event.
func (p *pollSet) tell(events []unix.EpollEvent, owners []pollable) {
	p.mu.Lock()
	for i := range events {
		if slot := p.at(uint32(events[i].Fd)); slot.generation == uint32(events[i].Pad) {
			owners[i] = slot.owner
		}
	}
	p.mu.Unlock()
	for i := range events {
		if owner := owners[i]; owner != nil {
			owner.ready(events[i].Events)
			owners[i] = nil
		}
	}
}
