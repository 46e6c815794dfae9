package nats

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
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

// Put implements workqueue.Store. A job that is enqueued once leaves a message with its key, which goes by itself. Until that is stored the server's own window for duplicates knows the key.
func (s *JobStore) Put(ctx context.Context, job *workqueue.Job, delay time.Duration, once bool) (added bool, err error) {
	fresh := *job
	fresh.Attempt, fresh.Error = 0, ""
	m := jobMessage(s.subject("jobs", job.Channel, rand.Text()), &fresh, delay)
	key := ""
	if once {
		key = s.subject("keys", job.Channel, channellayer.Token(job.ID))
		m.Header.Set(nats.MsgIdHdr, strings.TrimPrefix(key, s.options.Prefix))
	}
	err = s.call(ctx, "put a job", func(ctx context.Context, l *link) error {
		free, err := s.reserve(ctx, l, job.Channel)
		if err == nil && !free {
			err = s.full(ctx, l, job.Channel, key)
		}
		if err == nil {
			added, err = s.put(ctx, l, m, key)
		}
		if errors.Is(err, errKnown) {
			return nil
		}
		return err
	})
	return added && err == nil, err
}

// errKnown means that a job with this key was enqueued before.
var errKnown = errors.New("the key is known")

// full says why a job is not taken by a channel that is full.
func (s *JobStore) full(ctx context.Context, l *link, channel, key string) error {
	if key != "" {
		switch _, _, _, err := fetchMsg(ctx, l.conn, l.stream, lastOf{key}); {
		case err == nil:
			return errKnown
		case !errors.Is(err, jetstream.ErrMsgNotFound):
			return err
		}
	}
	return &workqueue.FullError{Channel: channel, Capacity: s.limits.Capacity}
}

// put stores a job, and its key if it has one.
func (s *JobStore) put(ctx context.Context, l *link, m *nats.Msg, key string) (added bool, err error) {
	if key == "" {
		_, err := store(ctx, l.conn, m)
		return err == nil, err
	}
	m.Header.Set(nats.ExpectedLastSubjSeqHdr, "0")
	m.Header.Set(jetstream.ExpectedLastSubjSeqSubjHeader, key)
	ack, err := store(ctx, l.conn, m)
	switch {
	case wrongSequence(err) || err == nil && ack.Duplicate:
		return false, errKnown
	case err != nil:
		return false, err
	}
	window := max(s.limits.Window, time.Second).Truncate(time.Second)
	if window < s.limits.Window {
		window += time.Second // the server counts whole ones
	}
	_, err = store(ctx, l.conn, &nats.Msg{Subject: key, Header: nats.Header{jetstream.MsgTTLHeader: {window.String()}}})
	return err == nil, err
}

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
	_, err := l.storeIf(ctx, m, t.subject, t.sequence)
	return err
}

// storeIf stores a message if the last one of a subject, its own or another one, is still this, and returns its sequence.
func (l *link) storeIf(ctx context.Context, m *nats.Msg, subject string, last uint64) (sequence uint64, err error) {
	m.Header.Set(nats.ExpectedLastSubjSeqHdr, strconv.FormatUint(last, 10))
	if subject != m.Subject {
		m.Header.Set(jetstream.ExpectedLastSubjSeqSubjHeader, subject)
	}
	ack, err := store(ctx, l.conn, m)
	if wrongSequence(err) {
		err = errGone
	}
	return ack.Sequence, err
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
	sequence, err := l.storeIf(ctx, grave, t.subject, t.sequence)
	if err != nil {
		return err
	}
	if err := l.remove(ctx, t.sequence); err != nil {
		if errors.Is(err, errGone) { // somebody else has got it since
			_ = l.remove(ctx, sequence)
		}
		return err
	}
	_ = purge(ctx, l.conn, l.stream, s.subject("dead", job.Channel, ">"), s.limits.Dead) // or the next one makes room
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
