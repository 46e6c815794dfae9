package nats

import (
	"context"
	"errors"
	"time"

	"github.com/portico-go/portico/channellayer"
)

// pageBytes is how much a page may hold before it ends early.
const pageBytes = 1 << 20

var errStale = errors.New("nats: a server of the stream is behind the others for too long")

// read reads a page.
func (l *logStream) read(ctx context.Context, subject string, keep channellayer.Retention, from uint64, limit int) (channellayer.Page, error) {
	stored := l.subject(subject)
	oldest := l.now().Add(-keep.Age)
	top, fresh, err := l.top(ctx, stored, oldest)
	page := channellayer.Page{Top: top}
	if err != nil || limit == 0 || !fresh {
		return page, err
	}
	r := reading{keep: keep, oldest: oldest, page: &page}
	ask := directGet{From: max(from, 1), Subject: stored, Bytes: pageBytes}
	for len(page.Entries) < limit && !r.full() {
		ask.Batch = limit - len(page.Entries)
		batch, err := getBatch(ctx, l.conn, l.name, ask)
		if err != nil {
			return page, err
		}
		page.More = false
		for _, m := range batch {
			r.take(m, top.Epoch)
			ask.From, ask.Since, page.More = m.sequence+1, nil, m.behind > 0
		}
		switch {
		case page.More:
			err = l.skip(ctx, &r, &ask, batch[len(batch)-1])
		case ask.From > top.Offset:
			return r.end(), nil
		case !pause(ctx): // the leader has more
			err = errors.Join(errStale, ctx.Err())
		}
		if err != nil {
			return page, err
		}
	}
	return r.end(), nil
}

// skip goes on behind what is not to be seen: what is too old by its time, and what is too much, which the stream keeps for the sake of other groups, by dropping it.
func (l *logStream) skip(ctx context.Context, r *reading, ask *directGet, last batchMsg) error {
	const little = 256
	switch {
	case last.at.Before(r.oldest):
		ask.From, ask.Since = 0, &r.oldest
	case last.behind >= uint64(r.keep.Size)+little:
		if err := purge(ctx, l.conn, l.name, ask.Subject, r.keep.Size); err != nil {
			return err
		}
	default:
		return nil
	}
	r.before = channellayer.Position{}
	return nil
}

// A reading is a page on its way.
type reading struct {
	keep   channellayer.Retention
	oldest time.Time
	page   *channellayer.Page

	before channellayer.Position // of the message before the next one, also if that is not to be seen; zero if it is not known
	bytes  int
}

func (r *reading) full() bool { return r.bytes >= pageBytes && len(r.page.Entries) > 1 }

// end returns the page.
func (r *reading) end() channellayer.Page {
	if n := len(r.page.Entries); n > 0 && r.page.Entries[n-1].Offset > r.page.Top.Offset {
		r.page.Top = r.page.Entries[n-1].Position
	}
	return *r.page
}

// take adds a message to the page if it is an entry, and to be seen.
func (r *reading) take(m batchMsg, epoch string) {
	before := r.before
	r.before = position(m.Msg, epoch, m.sequence)
	if isPlace(m.Msg) || m.behind >= uint64(r.keep.Size) || m.at.Before(r.oldest) {
		return
	}
	e := channellayer.Entry{Position: r.before, Previous: before.Offset, PreviousTag: before.Tag, Envelope: m.Data}
	if before.IsZero() {
		e.Previous = m.sequence - 1
	}
	r.page.Entries = append(r.page.Entries, e)
	r.bytes += len(m.Data)
}
