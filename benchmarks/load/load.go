// Package load is a load generator that is never the bottleneck: one thread, raw
// non-blocking sockets, one epoll set, requests that were built before the clock
// ran, and answers that are counted by their length and not parsed.
package load

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// A Job is what each connection does: it sends Request, Depth times before the
// first answer, and again for each answer. All answers must have the same length.
type Job struct {
	Addr     netip.AddrPort
	Conns    int
	Depth    int
	Duration time.Duration
	Warmup   time.Duration
	// Handshake is sent once per connection; its answer ends with an empty line.
	// nil is none.
	Handshake []byte
	Request   []byte
	// Answer is the length of an answer in bytes. 0 is learned from the first
	// answer, which must then be an HTTP response with a Content-Length.
	Answer int
}

// A Result is what a Job saw between the end of the warm-up and its end.
type Result struct {
	Answers  int
	Elapsed  time.Duration
	Latency  Histogram
	Started  time.Time // when the warm-up was over
	Finished time.Time
}

// A client is one connection.
type client struct {
	fd      int
	ready   bool // the handshake is over
	got     int  // bytes of the current answer
	sentAt  []time.Time
	pending []byte // of a short write
	head    []byte // of the handshake's answer
}

// A run is a Job that runs.
type run struct {
	job     Job
	epoll   int
	clients []*client
	buf     []byte
	batch   []byte // Depth requests
	now     time.Time
	warm    bool
	result  Result
}

// Run runs the job. started is called when the warm-up is over and finished when
// the measured time is, so that the caller can read the server's clock.
func Run(job Job, started, finished func()) (Result, error) {
	r := &run{job: job, buf: make([]byte, 256<<10)}
	if job.Depth == 0 {
		r.job.Depth = 1
	}
	for range r.job.Depth {
		r.batch = append(r.batch, job.Request...)
	}
	defer r.close()
	if err := r.connect(); err != nil {
		return Result{}, err
	}
	begin := time.Now()
	warmUntil, until := begin.Add(job.Warmup), begin.Add(job.Warmup+job.Duration)
	for {
		if err := r.turn(); err != nil {
			return Result{}, err
		}
		if !r.warm && r.now.After(warmUntil) {
			started()
			r.warm = true
			r.result.Started = time.Now()
			until = r.result.Started.Add(job.Duration)
		}
		if r.warm && r.now.After(until) {
			finished()
			r.result.Finished = time.Now()
			r.result.Elapsed = r.result.Finished.Sub(r.result.Started)
			return r.result, nil
		}
	}
}

func (r *run) connect() error {
	var err error
	if r.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return fmt.Errorf("load: epoll: %w", err)
	}
	for i := range r.job.Conns {
		fd, err := Dial(r.job.Addr)
		if err != nil {
			return fmt.Errorf("load: connection %d: %w", i, err)
		}
		c := &client{fd: fd, ready: r.job.Handshake == nil}
		r.clients = append(r.clients, c)
		ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP, Fd: int32(i)}
		if err := unix.EpollCtl(r.epoll, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
			return fmt.Errorf("load: epoll: %w", err)
		}
		if c.ready {
			err = r.send(c)
		} else {
			_, err = unix.Write(fd, r.job.Handshake)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Dial returns a connected, non-blocking socket without Nagle's delay.
func Dial(addr netip.AddrPort) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	sa := &unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()}
	if err := errors.Join(
		unix.Connect(fd, sa),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
		unix.SetNonblock(fd, true),
	); err != nil {
		_ = unix.Close(fd)
		return 0, err
	}
	return fd, nil
}

func (r *run) turn() error {
	var events [512]unix.EpollEvent
	n, err := unix.EpollWait(r.epoll, events[:], 100)
	if err != nil && !errors.Is(err, unix.EINTR) {
		return fmt.Errorf("load: epoll: %w", err)
	}
	r.now = time.Now()
	for _, ev := range events[:max(n, 0)] {
		if err := r.read(r.clients[ev.Fd]); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) read(c *client) error {
	n, err := unix.Read(c.fd, r.buf)
	switch {
	case errors.Is(err, unix.EAGAIN):
		return nil
	case err != nil:
		return fmt.Errorf("load: read: %w", err)
	case n == 0:
		return errors.New("load: the server closed a connection")
	}
	data := r.buf[:n]
	if !c.ready {
		if data, err = c.handshake(data); err != nil || !c.ready {
			return err
		}
		if err := r.send(c); err != nil {
			return err
		}
	}
	if r.job.Answer == 0 {
		if r.job.Answer, err = responseLength(data); err != nil {
			return err
		}
	}
	c.got += len(data)
	answers := c.got / r.job.Answer
	c.got %= r.job.Answer
	return r.answered(c, answers)
}

// answered counts answers and sends as many requests again.
func (r *run) answered(c *client, answers int) error {
	if answers == 0 {
		return nil
	}
	if answers > len(c.sentAt) {
		return fmt.Errorf("load: %d answers to %d requests: the answers differ in length", answers, len(c.sentAt))
	}
	if r.warm {
		r.result.Answers += answers
		for _, sent := range c.sentAt[:answers] {
			r.result.Latency.Add(r.now.Sub(sent))
		}
	}
	c.sentAt = append(c.sentAt[:0], c.sentAt[answers:]...)
	if r.job.Depth > 1 && len(c.sentAt) > 0 {
		return nil // refill when all of a batch have come, as a pipelining client does
	}
	return r.send(c)
}

func (r *run) send(c *client) error {
	at := time.Now()
	for range r.job.Depth {
		c.sentAt = append(c.sentAt, at)
	}
	n, err := unix.Write(c.fd, r.batch)
	if err != nil {
		return fmt.Errorf("load: write: %w", err)
	}
	if n < len(r.batch) {
		return errors.New("load: the server's socket is full: use fewer or shorter requests in flight")
	}
	return nil
}

func (r *run) close() {
	for _, c := range r.clients {
		_ = unix.Close(c.fd)
	}
	_ = unix.Close(r.epoll)
}
