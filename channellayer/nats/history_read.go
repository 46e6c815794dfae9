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
	top, err := l.top(ctx, stored)
	page := channellayer.Page{Top: top}
	if err != nil || limit == 0 {
		return page, err
	}
	r := reading{keep: keep, from: from, oldest: l.now().Add(-keep.Age), page: &page}
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
			ask.From, page.More = m.sequence+1, m.behind > 0
		}
		if page.More {
			continue
		}
		if ask.From > top.Offset {
			break
		}
		if !pause(ctx) { // the leader has more
			return page, errors.Join(errStale, ctx.Err())
		}
	}
	r.end()
	if n := len(page.Entries); n > 0 && page.Entries[n-1].Offset > top.Offset {
		page.Top = page.Entries[n-1].Position
	}
	return page, nil
}

// A reading is a page on its way.
type reading struct {
	keep   channellayer.Retention
	from   uint64
	oldest time.Time
	page   *channellayer.Page

	before uint64              // sequence of the message before the next one
	known  bool                // before is right
	place  *channellayer.Entry // the place before the first entry, if that was asked for
	bytes  int
}

func (r *reading) full() bool { return r.bytes >= pageBytes && len(r.page.Entries) > 1 }

// take adds a message to the page if it is to be seen. The place before the first entry is no entry, but for who asks for it by its offset, as long as
// nothing is missing behind it.
func (r *reading) take(m batchMsg, epoch string) {
	at := position(m.Msg, epoch, m.sequence)
	e := channellayer.Entry{Position: at, Previous: m.sequence - 1, Envelope: m.Data}
	if r.known {
		e.Previous = r.before
	}
	r.before, r.known = m.sequence, true
	if isPlace(m.Msg) {
		if r.from == at.Offset {
			r.place = &e
		}
		return
	}
	if m.behind >= uint64(r.keep.Size) || m.at.Before(r.oldest) {
		r.place = nil
		return
	}
	r.end()
	r.page.Entries = append(r.page.Entries, e)
	r.bytes += len(m.Data)
}

// end adds the place before the first entry.
func (r *reading) end() {
	if r.place != nil {
		r.page.Entries = append(r.page.Entries, *r.place)
		r.place = nil
	}
}
