//go:build linux

package load

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/portico-go/portico/benchmarks/proc"
)

// A silence is an Idle that runs.
type silence struct {
	job     Job
	fds     []int
	set     *set
	partial map[int][]byte // of frames, by connection
	sentAt  map[int]time.Time
	buf     []byte
	echoes  int
	meter   meter
}

// Idle opens Conns connections of which one in a hundred sends Request once a second
// and gets Answer; all answer the server's pings. After Duration it reads how much
// memory the server has more than before the first connection. stats is the path
// under which the server tells about its heap, "" if it does not.
func Idle(job Job, stats string) (Report, error) {
	rest, err := proc.Resident(job.PID)
	if err != nil {
		return Report{}, err
	}
	var before, after serverStats
	if err := before.get(job, stats, false); err != nil {
		return Report{}, err
	}
	s := &silence{job: job, partial: map[int][]byte{}, sentAt: map[int]time.Time{}, buf: make([]byte, 4<<10), meter: meter{pid: job.PID}}
	if s.fds, err = open(job.Addr, job.Conns, job.Handshake); err != nil {
		return Report{}, err
	}
	defer closeAll(s.fds)
	if s.set, err = newSet(s.fds, level); err != nil {
		return Report{}, err
	}
	defer s.set.close()
	if err := s.loop(); err != nil {
		return Report{}, err
	}
	report := s.meter.report(s.echoes)
	resident, err := proc.Resident(job.PID)
	if err != nil {
		return Report{}, err
	}
	if report.Threads, err = proc.Threads(job.PID); err != nil {
		return Report{}, err
	}
	if err := after.get(job, stats, true); err != nil { // last: it collects garbage
		return Report{}, err
	}
	conns := float64(len(s.fds))
	report.Resident = float64(resident-rest) / conns
	report.Heap = float64(after.Heap-before.Heap) / conns
	report.Goroutines = float64(after.Goroutines) / conns
	return report, nil
}

// loop lets one connection in a hundred talk, evenly over each second.
func (s *silence) loop() error {
	talkers := max(len(s.fds)/100, 1)
	s.meter.start()
	begin := time.Now()
	for said := 0; ; {
		now := time.Now()
		if now.Sub(begin) > s.job.Duration {
			break
		}
		for ; said <= int(now.Sub(begin).Seconds()*float64(talkers)); said++ {
			i := said % talkers * len(s.fds) / talkers
			if _, waits := s.sentAt[i]; waits {
				return fmt.Errorf("load: connection %d has waited a second for its echo", i)
			}
			s.sentAt[i] = now
			if err := writeAll(s.fds[i], s.job.Request); err != nil {
				return err
			}
		}
		if err := s.set.wait(5*time.Millisecond, s.read); err != nil {
			return err
		}
	}
	if s.echoes == 0 {
		return errors.New("load: nothing was echoed")
	}
	return nil
}

func (s *silence) read(i int) error {
	data, err := read(s.fds[i], s.buf)
	if err != nil {
		return err
	}
	if rest := s.partial[i]; rest != nil {
		delete(s.partial, i)
		data = append(rest, data...)
	}
	for {
		first, payload, rest := nextFrame(data)
		switch first {
		case 0:
			if len(rest) > 0 {
				s.partial[i] = bytes.Clone(rest)
			}
			return nil
		case pingFrame:
			if err := writeAll(s.fds[i], masked(pongFrame, payload)); err != nil {
				return err
			}
		case s.job.Answer[0]:
			if !bytes.HasSuffix(s.job.Answer, payload) {
				return fmt.Errorf("load: the echo is %q", payload)
			}
			s.meter.latency.Add(time.Since(s.sentAt[i]))
			delete(s.sentAt, i)
			s.echoes++
		default:
			return fmt.Errorf("load: the server sent a frame that begins with %#x: %q", first, payload)
		}
		data = rest
	}
}

// serverStats are what a server tells about itself.
type serverStats struct {
	Goroutines int `json:"goroutines"`
	Heap       int `json:"heap"` // bytes
}

// get asks the server, which collects garbage first if collect is true. A server
// that has no path for it is not asked.
func (s *serverStats) get(job Job, path string, collect bool) error {
	if path == "" {
		return nil
	}
	if collect {
		path += "?collect=1"
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+job.Addr.String()+path, http.NoBody)
	if err != nil {
		return err
	}
	req.Close = true
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("load: %s was answered with %s", path, res.Status)
	}
	return json.NewDecoder(res.Body).Decode(s)
}
