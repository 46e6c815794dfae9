//go:build linux

package load

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// A visit is one connection that comes and goes.
type visit struct {
	fd       int
	began    time.Time
	got      []byte
	accepted bool
	echoed   bool // or nothing is to be echoed
	left     bool // the Close is sent
}

// A coming is a Connect that runs.
type coming struct {
	job    Job
	set    *set
	visits []visit
	buf    []byte
	count  int // visits that have begun
	done   int // in the measured time
	warm   bool
	meter  meter
}

// Connect keeps Conns connections on their way: each connects, upgrades, has
// Request echoed unless it is nil, says goodbye as RFC 6455, section 7.1 has it, waits
// until the server has closed, and is followed by the next. An op is a whole cycle.
func Connect(job Job) (Report, error) {
	c := &coming{job: job, visits: make([]visit, job.Conns), buf: make([]byte, 4<<10), meter: meter{pid: job.PID}}
	var err error
	if c.set, err = newSet(nil, level); err != nil {
		return Report{}, err
	}
	defer c.set.close()
	defer func() {
		for i := range c.visits {
			_ = unix.Close(c.visits[i].fd)
		}
	}()
	for i := range c.visits {
		if err := c.begin(i); err != nil {
			return Report{}, err
		}
	}
	start := time.Now().Add(job.Warmup)
	end := start.Add(job.Duration)
	for {
		if err := c.set.wait(100*time.Millisecond, c.read); err != nil {
			return Report{}, err
		}
		now := time.Now()
		switch {
		case !c.warm && now.After(start):
			c.warm, c.done = true, 0
			c.meter.start()
			end = now.Add(job.Duration)
		case c.warm && now.After(end):
			return c.meter.report(c.done), c.stuck(now)
		}
	}
}

func (c *coming) begin(i int) error {
	v := &c.visits[i]
	*v = visit{fd: -1, began: time.Now(), got: v.got[:0], echoed: c.job.Request == nil}
	// The ports of visits that are over stay taken for a while: few per address.
	fd, err := dial(c.job.Addr, c.count*10)
	if err != nil {
		return err
	}
	c.count++
	v.fd = fd
	if err := errors.Join(unix.SetNonblock(fd, true), c.set.add(fd, i, level)); err != nil {
		return err
	}
	return writeAll(fd, c.job.Handshake)
}

func (c *coming) read(i int) error {
	v := &c.visits[i]
	n, err := unix.Read(v.fd, c.buf)
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		return nil
	case v.left && (n == 0 || errors.Is(err, unix.ECONNRESET)):
		return c.end(i)
	case err != nil:
		return fmt.Errorf("load: read: %w", err)
	case n == 0:
		return errors.New("load: the server closed a connection that had not said goodbye")
	case v.left:
		return nil // the server's Close
	}
	v.got = append(v.got, c.buf[:n]...)
	return c.step(v)
}

// step does what comes next after some bytes.
func (c *coming) step(v *visit) error {
	if !v.accepted {
		head, err := upgraded(v.got)
		if err != nil || head == 0 {
			return err
		}
		v.accepted, v.got = true, v.got[head:]
		if !v.echoed {
			return writeAll(v.fd, c.job.Request)
		}
	}
	if !v.echoed {
		if len(v.got) < len(c.job.Answer) {
			return nil
		}
		if !bytes.Equal(v.got, c.job.Answer) {
			return fmt.Errorf("load: the echo is %q, want %q", v.got, c.job.Answer)
		}
		v.echoed = true
	}
	v.left = true
	return writeAll(v.fd, goodbye())
}

func (c *coming) end(i int) error {
	v := &c.visits[i]
	if c.warm {
		c.done++
		c.meter.latency.Add(time.Since(v.began))
	}
	fd := v.fd
	v.fd = -1
	if err := unix.Close(fd); err != nil {
		return err
	}
	return c.begin(i)
}

// stuck returns an error when a visit takes far too long.
func (c *coming) stuck(now time.Time) error {
	for i := range c.visits {
		if v := &c.visits[i]; now.Sub(v.began) > patience {
			return fmt.Errorf("load: a connection has not ended for %s: accepted %t, echoed %t, goodbye %t",
				now.Sub(v.began), v.accepted, v.echoed, v.left)
		}
	}
	return nil
}
