package nats

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/workqueue"
)

// Stats implements workqueue.Inspector.
func (s *JobStore) Stats(ctx context.Context, channel string) (st workqueue.Stats, err error) {
	err = s.call(ctx, "count jobs", func(ctx context.Context, l *link) error {
		undone, err := l.count(ctx, s.subject("jobs", channel, "*"))
		if err != nil {
			return err
		}
		if st.Dead, err = l.count(ctx, s.subject("dead", channel, ">")); err != nil {
			return err
		}
		consumer, err := l.js.Consumer(ctx, l.stream, consumerName(channel))
		switch {
		case err == nil:
			st.Running = min(consumer.CachedInfo().NumAckPending, undone)
		case !errors.Is(err, jetstream.ErrConsumerNotFound):
			return err
		}
		st.Waiting = undone - st.Running
		return nil
	})
	return st, err
}

// Dead implements workqueue.Inspector.
func (s *JobStore) Dead(ctx context.Context, channel string, skip, most int) (dead []*workqueue.DeadJob, err error) {
	err = s.call(ctx, "list dead jobs", func(ctx context.Context, l *link) error {
		ask := directGet{From: 1, Subject: s.subject("dead", channel, ">")}
		for more := true; more && len(dead) < most; {
			ask.Batch = min(skip+most-len(dead), 1000)
			batch, err := getBatch(ctx, l.conn, l.stream, ask)
			if err != nil {
				return err
			}
			more = len(batch) > 0
			for _, m := range batch {
				ask.From, more = m.sequence+1, m.behind > 0
				if skip > 0 {
					skip--
					continue
				}
				job, err := workqueue.ParseJob(channel, m.Data)
				if err != nil {
					return err
				}
				dead = append(dead, &workqueue.DeadJob{Job: job, Died: m.at})
			}
		}
		return nil
	})
	return dead, err
}

// Revive implements workqueue.Inspector.
func (s *JobStore) Revive(ctx context.Context, channel, id string) error {
	return s.exhume(ctx, "revive a job", channel, id, func(ctx context.Context, l *link, grave *nats.Msg, sequence uint64) error {
		job, err := workqueue.ParseJob(channel, grave.Data)
		if err != nil {
			return err
		}
		job.Attempt, job.Error = 0, ""
		_, err = l.storeIf(ctx, jobMessage(s.subject("jobs", channel, rand.Text()), job, 0), grave.Subject, sequence)
		return err
	})
}

// Remove implements workqueue.Inspector.
func (s *JobStore) Remove(ctx context.Context, channel, id string) error {
	return s.exhume(ctx, "remove a job", channel, id, func(context.Context, *link, *nats.Msg, uint64) error { return nil })
}

// exhume calls f with a dead job, and takes it out.
func (s *JobStore) exhume(ctx context.Context, what, channel, id string, f func(context.Context, *link, *nats.Msg, uint64) error) error {
	return s.call(ctx, what, func(ctx context.Context, l *link) error {
		grave, sequence, _, err := fetchMsg(ctx, l.conn, l.stream, lastOf{s.subject("dead", channel, channellayer.Token(id), "*")})
		if err == nil {
			err = f(ctx, l, grave, sequence)
		}
		if err == nil {
			err = l.remove(ctx, sequence)
		}
		if errors.Is(err, jetstream.ErrMsgNotFound) || errors.Is(err, errGone) {
			return fmt.Errorf("%w: channel %q has no dead job %q", workqueue.ErrNoJob, channel, id)
		}
		return err
	})
}
