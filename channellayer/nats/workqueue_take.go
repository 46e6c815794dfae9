package nats

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/portico-go/portico/channellayer/workqueue"
)

// longestWait is how long a Take asks the server to wait before it asks again.
const longestWait = time.Second

// Take implements workqueue.Store. What the server hands out must not be lost, so the caller may go when its context ends, but the answer is waited for.
func (s *JobStore) Take(ctx context.Context, channel string, most int) ([]*workqueue.Lease, error) {
	type outcome struct {
		leases []*workqueue.Lease
		err    error
	}
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		taken, gone := make(chan outcome), make(chan struct{})
		ok := s.background(func() {
			leases, err := s.round(channel, most)
			select {
			case taken <- outcome{leases, err}:
			case <-gone:
				s.giveBack(leases)
			}
		})
		if !ok {
			return nil, workqueue.ErrClosed
		}
		select {
		case o := <-taken:
			if o.err != nil || len(o.leases) > 0 {
				return o.leases, o.err
			}
		case <-ctx.Done():
			close(gone)
			return nil, ctx.Err()
		case <-s.over:
			close(gone)
			return nil, workqueue.ErrClosed
		}
	}
}

// round asks once for jobs, and waits for one a while.
func (s *JobStore) round(channel string, most int) (leases []*workqueue.Lease, err error) {
	err = s.call(context.Background(), "take a job", func(ctx context.Context, l *link) error {
		for {
			leases, err = s.ask(ctx, l, channel, most)
			if len(leases) > 0 || !errors.Is(err, nats.ErrNoResponders) || s.isClosed() {
				break
			}
			l.forget() // the consumer has gone, or was made a moment ago and not by all servers yet
			if !pause(ctx) {
				break
			}
		}
		return err
	})
	if len(leases) > 0 {
		return leases, nil // whatever came after them
	}
	return nil, err
}

// ask asks for the jobs that there are, and otherwise for the next one.
func (s *JobStore) ask(ctx context.Context, l *link, channel string, most int) ([]*workqueue.Lease, error) {
	c, err := s.channel(ctx, l, channel)
	if err != nil {
		return nil, err
	}
	batch, err := c.FetchNoWait(max(most, 1))
	if err != nil {
		return nil, err
	}
	if leases, err := s.collect(ctx, l, channel, batch); err != nil || len(leases) > 0 || s.isClosed() {
		return leases, err
	}
	if batch, err = c.Fetch(1, jetstream.FetchMaxWait(longestWait)); err != nil {
		return nil, err
	}
	return s.collect(ctx, l, channel, batch)
}

// collect makes leases of what the consumer hands out.
func (s *JobStore) collect(ctx context.Context, l *link, channel string, batch jetstream.MessageBatch) (leases []*workqueue.Lease, err error) {
	for m := range batch.Messages() {
		if lease := s.lease(ctx, l, channel, m); lease != nil {
			leases = append(leases, lease)
		}
	}
	err = batch.Error()
	switch {
	case errors.Is(err, jetstream.ErrConsumerDeleted), errors.Is(err, jetstream.ErrNoHeartbeat):
		return leases, fmt.Errorf("%w: %w", jetstream.ErrConsumerNotFound, err)
	case errors.Is(err, jetstream.ErrNoMessages):
		err = nil
	}
	return leases, err
}

// lease makes a lease of a message, if it may be leased now: if it is due, and nobody had it before.
func (s *JobStore) lease(ctx context.Context, l *link, channel string, m jetstream.Msg) *workqueue.Lease {
	meta, err := m.Metadata()
	if err != nil {
		return nil
	}
	t := token{subject: m.Subject(), sequence: meta.Sequence.Stream, reply: m.Reply()}
	job, err := workqueue.ParseJob(channel, m.Data())
	if err != nil { // it is buried as it is, so that it is found and does no harm
		job = &workqueue.Job{ID: "damaged-" + strconv.FormatUint(t.sequence, 10), Channel: channel, Type: "damaged", Payload: m.Data(), Error: err.Error()}
		_ = s.bury(ctx, l, t, job) // or it comes again
		return nil
	}
	if delay, err := time.ParseDuration(m.Headers().Get(headerDelay)); err == nil {
		if wait := time.Until(meta.Timestamp.Add(delay)); wait > 0 {
			_ = m.NakWithDelay(min(wait, delay)) // or it comes again
			return nil
		}
		_ = l.replace(ctx, t, jobMessage(t.subject, job, 0))
		return nil
	}
	job.Attempt++
	if meta.NumDelivered > 1 {
		_ = l.replace(ctx, t, jobMessage(t.subject, job, 0))
		return nil
	}
	return &workqueue.Lease{Job: job, Term: s.limits.Lease, Token: t}
}

// giveBack gives jobs back that nobody waits for any more.
func (s *JobStore) giveBack(leases []*workqueue.Lease) {
	for _, lease := range leases {
		_ = s.try(context.Background(), func(ctx context.Context, l *link) error { // or its lease runs out
			return s.settle(ctx, l, lease, workqueue.Outcome{Verdict: workqueue.Release})
		})
	}
}
