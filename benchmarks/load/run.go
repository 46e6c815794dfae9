//go:build linux

package load

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// A Job is what a load generator does.
type Job struct {
	Addr netip.AddrPort
	// PID is the server's process, whose processor time is read.
	PID   int
	Conns int
	// Depth is how many requests each connection has in flight, sent in one write.
	// 0 is one.
	Depth    int
	Duration time.Duration
	Warmup   time.Duration
	// Handshake is sent once per connection; its answer is a 101. nil is none.
	Handshake []byte
	// Request is sent again for each answer.
	Request []byte
	// Answer is what the first answer must be; all others must be as long. nil takes
	// the first answer as it is, which must then be an HTTP response of status 200
	// with a Content-Length.
	Answer []byte
	// Stalled is the number of further connections that send the handshake and half
	// of Request, and then nothing more.
	Stalled int
}

// A client is one connection of a run.
type client struct {
	fd     int
	got    int         // bytes of the current answer
	first  []byte      // of the first answer, until it has been compared
	proved bool        // the first answer was as it must be
	sentAt []time.Time // the requests in flight
}

// A run is a Job that runs.
type run struct {
	job     Job
	clients []client
	set     *set
	buf     []byte
	batch   []byte    // Depth requests
	now     time.Time // of the latest read
	warm    bool
	answers int
	meter   meter
}

// Run keeps the connections busy with requests and answers.
func Run(job Job) (Report, error) {
	job.Depth = max(job.Depth, 1)
	r := &run{job: job, buf: make([]byte, 256<<10), batch: bytes.Repeat(job.Request, job.Depth), meter: meter{pid: job.PID}}
	stalled, err := open(job.Addr, job.Stalled, job.Handshake)
	if err != nil {
		return Report{}, err
	}
	defer closeAll(stalled)
	for _, fd := range stalled {
		if err := writeAll(fd, job.Request[:len(job.Request)/2]); err != nil {
			return Report{}, err
		}
	}
	fds, err := open(job.Addr, job.Conns, job.Handshake)
	if err != nil {
		return Report{}, err
	}
	defer closeAll(fds)
	if r.set, err = newSet(fds, edge); err != nil {
		return Report{}, err
	}
	defer r.set.close()
	r.clients = make([]client, len(fds))
	for i, fd := range fds {
		r.clients[i] = client{fd: fd}
		r.now = time.Now()
		if err := r.send(&r.clients[i]); err != nil {
			return Report{}, err
		}
	}
	return r.loop()
}

func (r *run) loop() (Report, error) {
	start := time.Now().Add(r.job.Warmup)
	end := start.Add(r.job.Duration)
	for {
		// Polling, not sleeping: to wake the load would be billed to the server.
		err := r.set.wait(0, func(i int) error { return r.read(&r.clients[i]) })
		if err != nil {
			return Report{}, err
		}
		r.now = time.Now()
		switch {
		case !r.warm && r.now.After(start):
			r.warm = true
			r.meter.start()
			end = r.now.Add(r.job.Duration)
		case r.warm && r.now.After(end):
			return r.meter.report(r.answers), r.allAnswered()
		}
	}
}

// allAnswered returns an error when a connection has had no answer at all.
func (r *run) allAnswered() error {
	for i := range r.clients {
		if !r.clients[i].proved {
			return fmt.Errorf("load: connection %d has had no answer", i)
		}
	}
	return nil
}

func (r *run) read(c *client) error {
	data, err := read(c.fd, r.buf)
	if err != nil || len(data) == 0 {
		return err
	}
	r.now = time.Now()
	if !c.proved {
		if err := r.prove(c, data); err != nil || r.job.Answer == nil {
			return err
		}
	}
	c.got += len(data)
	answers := c.got / len(r.job.Answer)
	c.got %= len(r.job.Answer)
	return r.answered(c, answers)
}

// prove compares the first answer.
func (r *run) prove(c *client, data []byte) error {
	c.first = append(c.first, data...)
	if r.job.Answer == nil {
		n, err := responseLength(c.first)
		if err != nil {
			return err
		}
		if n > len(c.first) {
			return errors.New("load: the first response did not come in one piece")
		}
		r.job.Answer = bytes.Clone(c.first[:n])
	}
	if len(c.first) < len(r.job.Answer) {
		return nil
	}
	// Responses hold their date: only messages must be the same to the last byte.
	if got := c.first[:len(r.job.Answer)]; r.job.Handshake != nil && !bytes.Equal(got, r.job.Answer) {
		return fmt.Errorf("load: the first answer is %q, want %q", got, r.job.Answer)
	}
	c.proved, c.first = true, nil
	return nil
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
		r.answers += answers
		for _, sent := range c.sentAt[:answers] {
			r.meter.latency.Add(r.now.Sub(sent))
		}
	}
	c.sentAt = append(c.sentAt[:0], c.sentAt[answers:]...)
	if len(c.sentAt) > 0 {
		return nil // refill when all of a batch have come, as a pipelining client does
	}
	return r.send(c)
}

func (r *run) send(c *client) error {
	for range r.job.Depth {
		c.sentAt = append(c.sentAt, r.now)
	}
	return writeAll(c.fd, r.batch)
}
