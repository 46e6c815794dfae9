//go:build linux

package load

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// A crowd is a Fanout that runs.
type crowd struct {
	job   Job
	fds   []int
	buf   []byte
	meter meter
}

// Fanout lets the first of Conns connections send Request, and waits until all have
// got Answer, again and again. An op is one delivery; a latency is the time until the
// last member has read the message.
func Fanout(job Job) (Report, error) {
	c, err := gather(job)
	if err != nil {
		return Report{}, err
	}
	defer closeAll(c.fds)
	set, err := newSet(c.fds, level)
	if err != nil {
		return Report{}, err
	}
	defer set.close()
	messages, warm := 0, false
	start := time.Now().Add(job.Warmup)
	end := start.Add(job.Duration)
	for {
		sent := time.Now()
		if err := c.round(set); err != nil {
			return Report{}, err
		}
		now := time.Now()
		if warm {
			messages++
			c.meter.latency.Add(now.Sub(sent))
		}
		switch {
		case !warm && now.After(start):
			warm = true
			c.meter.start()
			end = now.Add(job.Duration)
		case warm && now.After(end):
			return c.meter.report(messages * len(c.fds)), nil
		}
	}
}

// gather opens the connections, and sends a first message to see that all are there.
func gather(job Job) (*crowd, error) {
	fds, err := open(job.Addr, job.Conns, job.Handshake)
	if err != nil {
		return nil, err
	}
	return &crowd{job: job, fds: fds, buf: make([]byte, 4<<10), meter: meter{pid: job.PID}}, nil
}

// round sends one message and reads it from all connections.
func (c *crowd) round(set *set) error {
	if err := writeAll(c.fds[0], c.job.Request); err != nil {
		return err
	}
	missing := len(c.fds) * len(c.job.Answer)
	deadline := time.Now().Add(patience)
	for missing > 0 {
		err := set.wait(patience, func(i int) error {
			data, err := read(c.fds[i], c.buf)
			missing -= len(data)
			return err
		})
		if err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("load: %d of %d members have not got a message", missing/len(c.job.Answer), len(c.fds))
		}
	}
	if missing < 0 {
		return errors.New("load: a member has got more than the message")
	}
	return nil
}

// FanoutSpan lets the first of Conns connections send Request, sleeps while the server
// writes to all of them, and only then reads. Span is the median of the times from
// the first to the last write, by the times at which the kernel got the messages
// from the server; a latency is such a time, too.
func FanoutSpan(job Job) (Report, error) {
	c, err := gather(job)
	if err != nil {
		return Report{}, err
	}
	defer closeAll(c.fds)
	for _, fd := range c.fds {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1); err != nil {
			return Report{}, fmt.Errorf("load: receive timestamps: %w", err)
		}
	}
	time.Sleep(100 * time.Millisecond) // until the kernel has switched timestamps on
	if _, _, err := c.span(); err != nil {
		return Report{}, err // the first message only warms up
	}
	var spans []time.Duration
	c.meter.start()
	begin := time.Now()
	for messages := 1; ; messages++ {
		span, undisturbed, err := c.span()
		if err != nil {
			return Report{}, err
		}
		if undisturbed {
			spans = append(spans, span)
			c.meter.latency.Add(span)
		}
		elapsed := time.Since(begin)
		if elapsed > job.Duration && len(spans) >= 3 {
			report := c.meter.report(messages * len(c.fds))
			slices.Sort(spans)
			report.Span = micros(spans[len(spans)/2]) / 1000
			return report, nil
		}
		if elapsed > job.Duration+patience {
			return Report{}, errors.New("load: the machine is too busy to measure the time of a fan-out")
		}
	}
}

// writing is how long a server gets to write to one member, far more than it takes.
const writing = 40 * time.Microsecond

// span sends one message. It is not undisturbed when the server was still writing
// when the first members began to read.
func (c *crowd) span() (span time.Duration, undisturbed bool, err error) {
	if err := writeAll(c.fds[0], c.job.Request); err != nil {
		return 0, false, err
	}
	time.Sleep(20*time.Millisecond + time.Duration(len(c.fds))*writing)
	var first, last time.Time
	reading := time.Now()
	for i, fd := range c.fds {
		at, err := c.receivedAt(fd)
		if err != nil {
			return 0, false, fmt.Errorf("load: member %d: %w", i, err)
		}
		if first.IsZero() || at.Before(first) {
			first = at
		}
		if at.After(last) {
			last = at
		}
	}
	return last.Sub(first), last.Before(reading), nil
}

// receivedAt reads one message and returns when the kernel got it.
func (c *crowd) receivedAt(fd int) (time.Time, error) {
	var control [128]byte
	ready := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	if n, err := unix.Poll(ready, int(patience.Milliseconds())); n != 1 {
		return time.Time{}, fmt.Errorf("no message after %s: %w", patience, cmp.Or(err, error(unix.ETIMEDOUT)))
	}
	n, controls, _, _, err := unix.Recvmsg(fd, c.buf, control[:], 0)
	if err != nil {
		return time.Time{}, err
	}
	if n != len(c.job.Answer) {
		return time.Time{}, fmt.Errorf("got %d bytes, want %d", n, len(c.job.Answer))
	}
	messages, err := unix.ParseSocketControlMessage(control[:controls])
	if err != nil {
		return time.Time{}, err
	}
	for _, m := range messages {
		if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SCM_TIMESTAMPNS {
			var ts unix.Timespec
			_, err := binary.Decode(m.Data, binary.NativeEndian, &ts)
			return time.Unix(ts.Unix()), err
		}
	}
	return time.Time{}, errors.New("the kernel gave no receive timestamp")
}
