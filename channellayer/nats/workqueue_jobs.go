package nats

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/workqueue"
)

// headerDelay is for how long a job waits, from when its message was stored.
const headerDelay = "Portico-Delay"

// A token is what a lease needs to be settled: the job's message, and where the consumer is told of it.
type token struct {
	subject  string
	sequence uint64
	reply    string
}

// jobMessage makes the message of a job that waits.
func jobMessage(subject string, job *workqueue.Job, delay time.Duration) *nats.Msg {
	m := &nats.Msg{Subject: subject, Data: workqueue.AppendJob(nil, job), Header: nats.Header{}}
	if delay > 0 {
		m.Header.Set(headerDelay, delay.String())
	}
	return m
}

// Put implements workqueue.Store.
func (s *JobStore) Put(ctx context.Context, job *workqueue.Job, delay time.Duration, once bool) (added bool, err error) {
	fresh := *job
	fresh.Attempt, fresh.Error = 0, ""
	m := jobMessage(s.subject("jobs", job.Channel, rand.Text()), &fresh, delay)
	if once {
		m.Header.Set(nats.MsgIdHdr, channellayer.Token(job.Channel)+"."+job.ID)
	}
	err = s.call(ctx, "put a job", func(ctx context.Context, l *link) error {
		free, err := s.reserve(ctx, l, job.Channel)
		if err != nil {
			return err
		}
		full := &workqueue.FullError{Channel: job.Channel, Capacity: s.limits.Capacity}
		if !free {
			if !once {
				return full
			}
			m.Header.Set(nats.ExpectedLastSubjSeqHdr, impossible) // only a job that is known is not refused
		}
		ack, err := store(ctx, l.conn, m)
		if !free && wrongSequence(err) {
			return full
		}
		added = !ack.Duplicate
		return err
	})
	return added && err == nil, err
}

// impossible is a sequence that no message has.
const impossible = "9007199254740991"

// Settle implements workqueue.Store.
func (s *JobStore) Settle(ctx context.Context, lease *workqueue.Lease, o workqueue.Outcome) error {
	return s.call(ctx, "settle a job", func(ctx context.Context, l *link) error { return s.settle(ctx, l, lease, o) })
}

func (s *JobStore) settle(ctx context.Context, l *link, lease *workqueue.Lease, o workqueue.Outcome) error {
	t, ok := lease.Token.(token)
	if !ok {
		return errors.New("the lease is another store's")
	}
	job := *lease.Job
	var err error
	switch o.Verdict {
	case workqueue.Release:
		job.Attempt--
		err = l.replace(ctx, t, jobMessage(t.subject, &job, 0))
	case workqueue.Retry:
		job.Error = o.Error
		err = l.replace(ctx, t, jobMessage(t.subject, &job, o.After))
	case workqueue.Bury:
		job.Error = o.Error
		err = s.bury(ctx, l, t, &job)
	default:
		err = l.remove(ctx, t.sequence)
	}
	if errors.Is(err, errGone) {
		return fmt.Errorf("%w: job %s of channel %q", workqueue.ErrLeaseLost, job.ID, job.Channel)
	}
	return err
}

// errGone means that a message is not there any more.
var errGone = errors.New("the message has gone")

// replace stores a message in place of a job's.
func (l *link) replace(ctx context.Context, t token, m *nats.Msg) error {
	return l.storeIf(ctx, m, t.subject, t.sequence)
}

// storeIf stores a message if the last one of a subject, its own or another one, is still this.
func (l *link) storeIf(ctx context.Context, m *nats.Msg, subject string, last uint64) error {
	m.Header.Set(nats.ExpectedLastSubjSeqHdr, strconv.FormatUint(last, 10))
	if subject != m.Subject {
		m.Header.Set(jetstream.ExpectedLastSubjSeqSubjHeader, subject)
	}
	_, err := store(ctx, l.conn, m)
	if wrongSequence(err) {
		return errGone
	}
	return err
}

// remove deletes a message. Only one caller can do that.
func (l *link) remove(ctx context.Context, sequence uint64) error {
	request := fmt.Sprintf(`{"seq":%d,"no_erase":true}`, sequence)
	answer, err := l.conn.RequestWithContext(ctx, "$JS.API.STREAM.MSG.DELETE."+l.stream, []byte(request))
	if err != nil {
		return err
	}
	var done struct {
		Success bool                `json:"success"`
		Error   *jetstream.APIError `json:"error"`
	}
	switch err := json.Unmarshal(answer.Data, &done); {
	case err != nil:
		return err
	case done.Success:
		return nil
	case done.Error == nil:
		return errors.New("the server answered what it never does")
	}
	if _, _, _, err := fetchMsg(ctx, l.conn, l.stream, atSequence{sequence}); errors.Is(err, jetstream.ErrMsgNotFound) {
		return errGone
	}
	return done.Error
}

// bury stores a dead job, and removes the one that was alive.
func (s *JobStore) bury(ctx context.Context, l *link, t token, job *workqueue.Job) error {
	grave := jobMessage(s.subject("dead", job.Channel, channellayer.Token(job.ID), rand.Text()), job, 0)
	if err := l.storeIf(ctx, grave, t.subject, t.sequence); err != nil {
		return err
	}
	if err := l.remove(ctx, t.sequence); err != nil {
		return err
	}
	stream, err := l.js.Stream(ctx, l.stream)
	if err != nil {
		return nil //nolint:nilerr // it is buried; the next one makes room
	}
	_ = stream.Purge(ctx, jetstream.WithPurgeSubject(s.subject("dead", job.Channel, ">")), jetstream.WithPurgeKeep(uint64(s.limits.Dead)))
	return nil
}

// Extend implements workqueue.Store.
func (s *JobStore) Extend(ctx context.Context, lease *workqueue.Lease) error {
	return s.call(ctx, "extend a lease", func(ctx context.Context, l *link) error {
		t, ok := lease.Token.(token)
		if !ok {
			return errors.New("the lease is another store's")
		}
		if _, err := l.conn.RequestWithContext(ctx, t.reply, []byte("+WPI")); err != nil {
			return err
		}
		_, _, _, err := fetchMsg(ctx, l.conn, l.stream, atSequence{t.sequence})
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return fmt.Errorf("%w: job %s of channel %q", workqueue.ErrLeaseLost, lease.Job.ID, lease.Job.Channel)
		}
		return err
	})
}
