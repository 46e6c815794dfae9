package nats

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/portico-go/portico/channellayer"
)

var (
	_ channellayer.Log      = (*Broker)(nil)
	_ channellayer.Preparer = (*Broker)(nil)
)

// All logs of a layer are one stream. An entry is a message of the subject "log.", the epoch, and the group's token; its offset is its sequence in the stream, so those of one group
// are greater from entry to entry, and not by one. The stream publishes what it has stored once more, under the group's subject, with the sequence of the message before it in the group:
// so what is live is what is stored, in that order.
//
// The epoch is random, and part of the stream's subjects: a stream that was deleted, and made again, has none for who knows the old one.
const (
	logSubject  = "h."
	logStored   = "log."
	epochLength = 13
)

// Headers of the messages in a log.
const (
	headerTag   = "Portico-Tag"   // of the position
	headerPlace = "Portico-Place" // on a message that is no entry, but the place before the first one, or stands for the last one at this position
)

// Prepare implements channellayer.Preparer.
func (b *Broker) Prepare(keep []channellayer.Retention) {
	for _, k := range keep {
		b.keep = channellayer.Retention{Size: max(b.keep.Size, k.Size), Age: max(b.keep.Age, k.Age)}
	}
}

// Append implements channellayer.Log.
func (b *Broker) Append(ctx context.Context, subject string, keep channellayer.Retention, r channellayer.Record) (at channellayer.Position, err error) {
	err = b.withLog(ctx, keep, func(ctx context.Context, l *logStream) error {
		at, err = l.append(ctx, subject, r)
		return err
	})
	if err != nil {
		return channellayer.Position{}, fmt.Errorf("nats: append: %w", err)
	}
	return at, nil
}

// Read implements channellayer.Log.
func (b *Broker) Read(ctx context.Context, subject string, keep channellayer.Retention, from uint64, limit int) (page channellayer.Page, err error) {
	err = b.withLog(ctx, keep, func(ctx context.Context, l *logStream) error {
		page, err = l.read(ctx, subject, keep, from, limit)
		return err
	})
	if err != nil {
		return channellayer.Page{}, fmt.Errorf("nats: read the log: %w", err)
	}
	return page, nil
}

// withLog calls f with the stream of the logs, for as long as the connection lasts, and at most for the time that a server may take. If the stream has gone, f is called once more, with a new one.
func (b *Broker) withLog(ctx context.Context, keep channellayer.Retention, f func(context.Context, *logStream) error) error {
	s := b.session.Load()
	if s == nil {
		return errAway
	}
	ctx, cancel := context.WithTimeout(ctx, silence)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	for again := false; ; again = true {
		l, err := b.openLog(ctx, s, keep)
		if err == nil {
			err = f(ctx, l)
		}
		switch {
		case err != nil && s.ctx.Err() != nil:
			return fmt.Errorf("%w: %w", errAway, err)
		case again || !errors.Is(err, nats.ErrNoResponders):
			return err
		}
		s.log.CompareAndSwap(l, nil)
	}
}

// append stores an entry.
func (l *logStream) append(ctx context.Context, subject string, r channellayer.Record) (channellayer.Position, error) {
	stored := l.subject(subject)
	m := &nats.Msg{Subject: stored, Data: r.Envelope, Header: nats.Header{headerTag: {r.Tag}}}
	if r.Key != "" {
		m.Header.Set(nats.MsgIdHdr, r.Key+stored[strings.LastIndexByte(stored, '.'):])
	}
	ack, err := store(ctx, l.conn, m)
	if err != nil {
		return channellayer.Position{}, err
	}
	if ack.Duplicate {
		return l.first(ctx, ack.Sequence, r.Tag)
	}
	return channellayer.Position{Epoch: l.epoch, Offset: ack.Sequence, Tag: r.Tag}, nil
}

// first returns the position of the entry with a sequence. Where that has been dropped nobody can compare its tag any more, and any will do.
func (l *logStream) first(ctx context.Context, sequence uint64, tag string) (channellayer.Position, error) {
	m, _, _, err := fetchMsg(ctx, l.conn, l.name, atSequence{sequence})
	switch {
	case err == nil:
		tag = m.Header.Get(headerTag)
	case !errors.Is(err, jetstream.ErrMsgNotFound):
		return channellayer.Position{}, err
	}
	return channellayer.Position{Epoch: l.epoch, Offset: sequence, Tag: tag}, nil
}

// place stores a place, before the first entry of a log or at the position of its last one, if the subject's last sequence is as expected, and returns it.
func (l *logStream) place(ctx context.Context, stored string, last uint64, at channellayer.Position) (channellayer.Position, error) {
	tag := newEpoch()
	m := &nats.Msg{Subject: stored, Header: nats.Header{headerTag: {tag}, headerPlace: {at.String()}}}
	m.Header.Set(nats.ExpectedLastSubjSeqHdr, strconv.FormatUint(last, 10))
	ack, err := store(ctx, l.conn, m)
	if at.IsZero() {
		at = channellayer.Position{Epoch: l.epoch, Offset: ack.Sequence, Tag: tag}
	}
	return at, err
}

// top returns the position of the newest entry of a log, and whether it is no older than that. It asks the stream's leader, since the others may not know it yet. An old one is stored
// again, as a place, before the stream forgets it.
func (l *logStream) top(ctx context.Context, stored string, oldest time.Time) (at channellayer.Position, fresh bool, err error) {
	for {
		m, last, stamp, err := fetchMsg(ctx, l.conn, l.name, lastOf{stored})
		if err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
			return channellayer.Position{}, false, err
		}
		if err == nil {
			at = position(m, l.epoch, last)
			if l.now().Sub(stamp) < l.keeps.TopAge()/2 {
				return at, !isPlace(m) && !stamp.Before(oldest), nil
			}
		}
		at, err = l.place(ctx, stored, last, at)
		if !wrongSequence(err) {
			return at, false, err
		}
		at = channellayer.Position{}
	}
}

// position returns that of a message in a log: its own, or that which it says that it is in the place of.
func position(m *nats.Msg, epoch string, sequence uint64) channellayer.Position {
	if at, err := channellayer.ParsePosition(m.Header.Get(headerPlace)); err == nil && at.Epoch == epoch {
		return at
	}
	tag := m.Header.Get(headerTag)
	if !goodPart.MatchString(tag) { // somebody else has put it there; it is an entry that no node can read
		tag = "0"
	}
	return channellayer.Position{Epoch: epoch, Offset: sequence, Tag: tag}
}

// isPlace reports whether a message in a log is no entry.
func isPlace(m *nats.Msg) bool { return len(m.Header.Values(headerPlace)) > 0 }

// entry delivers what the stream of the logs has published. Anything else is not from there.
func (b *Broker) entry(subject string, m *nats.Msg) {
	stored, ours := strings.CutPrefix(m.Header.Get("Nats-Subject"), b.options.Prefix+logStored)
	epoch, _, _ := strings.Cut(stored, ".")
	offset, err1 := strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64)
	previous, err2 := strconv.ParseUint(m.Header.Get("Nats-Last-Sequence"), 10, 64)
	if !ours || !goodPart.MatchString(epoch) || offset == 0 || err1 != nil || err2 != nil || previous >= offset || isPlace(m) {
		return
	}
	b.receiver.Entry(subject, channellayer.Entry{Position: position(m, epoch, offset), Previous: previous, Envelope: m.Data})
}
