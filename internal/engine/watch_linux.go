package engine

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// A Watcher tells of peers that reset their connection or hang up while nobody
// reads from it: an epoll set in which each socket is registered for errors and
// hang-ups only. A FIN alone is no hang-up: it may be a half-close.
type Watcher struct {
	file *os.File // the epoll set, waited for through the runtime's poller
	fd   int
	done chan struct{}

	mu      sync.Mutex
	next    uint64            // the generation of the next registration
	watches map[uint64]*Watch // by generation: a reused descriptor never meets an old event
}

// NewWatcher returns a Watcher, which is to be closed.
func NewWatcher() (*Watcher, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("engine: cannot watch connections: %w", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("engine: cannot watch connections: %w", err)
	}
	w := &Watcher{
		file:    os.NewFile(uintptr(fd), "epoll"),
		fd:      fd,
		done:    make(chan struct{}),
		watches: make(map[uint64]*Watch),
	}
	raw, err := w.file.SyscallConn()
	if err != nil {
		_ = w.file.Close()
		return nil, fmt.Errorf("engine: cannot watch connections: %w", err)
	}
	go w.run(raw)
	return w, nil
}

// Close ends the watcher; no watch tells of anything any more.
func (w *Watcher) Close() error {
	err := w.file.Close()
	<-w.done
	return err
}

// Watch registers the socket beneath conn. Without one, or if the kernel refuses,
// it returns nil: then a hang-up is found out by the next read or write.
func (w *Watcher) Watch(conn net.Conn) *Watch {
	if w == nil {
		return nil
	}
	raw := rawConn(conn)
	if raw == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.next++
	generation := w.next
	watch := &Watch{
		stop: func() { w.forget(generation) },
		drop: func() {
			_ = raw.Control(func(fd uintptr) { _ = unix.EpollCtl(w.fd, unix.EPOLL_CTL_DEL, int(fd), nil) })
		},
	}
	event := unix.EpollEvent{
		Events: unix.EPOLLET & 0xffffffff, // errors and hang-ups are always told
		Fd:     int32(generation),
		Pad:    int32(generation >> 32),
	}
	var failed error
	err := raw.Control(func(fd uintptr) {
		failed = unix.EpollCtl(w.fd, unix.EPOLL_CTL_ADD, int(fd), &event)
	})
	if err = errors.Join(err, failed); err != nil {
		return nil
	}
	w.watches[generation] = watch
	return watch
}

// forget drops a registration; the kernel drops its own when the socket closes.
func (w *Watcher) forget(generation uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.watches, generation)
}

// run waits for events. The runtime's poller wakes it when the set has some, so
// it occupies no thread.
func (w *Watcher) run(raw syscall.RawConn) {
	defer close(w.done)
	events := make([]unix.EpollEvent, 128)
	_ = raw.Read(func(fd uintptr) (done bool) { // ends when the file is closed
		for {
			n, err := unix.EpollWait(int(fd), events, 0)
			if errors.Is(err, unix.EINTR) {
				continue
			}
			if err != nil {
				return true
			}
			if n == 0 {
				return false
			}
			for _, ev := range events[:n] {
				w.tell(ev)
			}
		}
	})
}

func (w *Watcher) tell(ev unix.EpollEvent) {
	if ev.Events&(unix.EPOLLERR|unix.EPOLLHUP) == 0 {
		return
	}
	generation := uint64(uint32(ev.Pad))<<32 | uint64(uint32(ev.Fd))
	w.mu.Lock()
	watch := w.watches[generation]
	w.mu.Unlock()
	if watch != nil {
		watch.hungUp()
	}
}

// rawConn returns the socket beneath conn, or nil.
func rawConn(conn net.Conn) syscall.RawConn {
	for conn != nil {
		if sc, ok := conn.(syscall.Conn); ok {
			if raw, err := sc.SyscallConn(); err == nil {
				return raw
			}
			return nil
		}
		outer, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			return nil
		}
		conn = outer.NetConn()
	}
	return nil
}
