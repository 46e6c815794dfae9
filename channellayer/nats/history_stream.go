package nats

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/portico-go/portico/channellayer"
)

// A session is one connection, from when it is there to when it breaks.
type session struct {
	conn *nats.Conn
	ctx  context.Context //nolint:containedctx // it ends with the connection
	end  context.CancelFunc

	opening chan struct{} // holds one element while somebody looks for a stream, or makes it
	log     atomic.Pointer[logStream]
}

func newSession(conn *nats.Conn) *session {
	s := &session{conn: conn, opening: make(chan struct{}, 1)}
	s.ctx, s.end = context.WithCancel(context.Background())
	return s
}

// open waits for its turn to look for a stream, or to make it. If it reports true, opened has to follow.
func (s *session) open(ctx context.Context) bool {
	select {
	case s.opening <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (s *session) opened() { <-s.opening }

// A logStream is the stream of all logs, as it was found in one session.
type logStream struct {
	conn   *nats.Conn
	now    func() time.Time
	name   string
	prefix string // of its subjects, with the epoch
	epoch  string
	keeps  channellayer.Retention // what it is made for
}

// subject returns the subject under which the entries of a hub's subject are stored.
func (l *logStream) subject(subject string) string {
	return l.prefix + strings.TrimPrefix(subject, logSubject)
}

func newEpoch() string { return rand.Text()[:epochLength] }

// openLog returns the stream of the logs, which is made, or made greater, if need be.
func (b *Broker) openLog(ctx context.Context, s *session, keep channellayer.Retention) (*logStream, error) {
	keep = channellayer.Retention{Size: max(keep.Size, b.keep.Size), Age: max(keep.Age, b.keep.Age)}
	enough := func(l *logStream) bool { return l != nil && l.keeps.Size >= keep.Size && l.keeps.Age >= keep.Age }
	if l := s.log.Load(); enough(l) {
		return l, nil
	}
	if !s.open(ctx) {
		return nil, ctx.Err()
	}
	defer s.opened()
	old := s.log.Load()
	if enough(old) {
		return old, nil
	}
	if old != nil {
		keep = channellayer.Retention{Size: max(keep.Size, old.keeps.Size), Age: max(keep.Age, old.keeps.Age)}
	}
	l, err := b.findLog(ctx, s.conn, keep)
	if err == nil {
		s.log.Store(l)
	}
	return l, err
}

// findLog finds the stream, or makes it.
func (b *Broker) findLog(ctx context.Context, conn *nats.Conn, keep channellayer.Retention) (*logStream, error) {
	js, err := jetstream.New(conn)
	if err != nil {
		return nil, err
	}
	if err := fit(ctx, conn, js); err != nil {
		return nil, err
	}
	name := streamName(b.options.Prefix, "history")
	found, err := js.Stream(ctx, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		found, err = js.CreateStream(ctx, b.newLog(name, newEpoch(), keep))
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // another node was quicker
			found, err = js.Stream(ctx, name)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("the stream %q: %w", name, err)
	}
	config := found.CachedInfo().Config
	epoch, err := b.checkLog(&config)
	if err != nil {
		return nil, err
	}
	if raise(&config, b.newLog(name, epoch, keep)) {
		if _, err := js.UpdateStream(ctx, config); err != nil {
			return nil, fmt.Errorf("make the stream %q keep %d messages of a subject, for %v: %w", name, config.MaxMsgsPerSubject, config.MaxAge, err)
		}
	}
	return &logStream{conn: conn, now: b.now, name: name, prefix: b.options.Prefix + logStored + epoch + ".", epoch: epoch, keeps: keep}, nil
}

// newLog is the configuration of a stream for logs. Beside the entries of a group it keeps the place before them.
func (b *Broker) newLog(name, epoch string, keep channellayer.Retention) jetstream.StreamConfig {
	c := jetstream.StreamConfig{
		Name:              name,
		Description:       "Groups with history of the layer " + b.options.Prefix,
		Subjects:          []string{b.options.Prefix + logStored + epoch + ".>"},
		MaxMsgsPerSubject: int64(keep.Size) + 1,
		MaxAge:            keep.TopAge(),
		Duplicates:        channellayer.DedupWindow,
		AllowDirect:       true,
	}
	c.RePublish = &jetstream.RePublish{Source: c.Subjects[0], Destination: b.options.Prefix + logSubject + ">"}
	b.options.History.apply(&c)
	return c
}

// goodPart is what an epoch and a tag are made of.
var goodPart = regexp.MustCompile(`^[A-Za-z0-9]{1,32}$`)

// checkLog returns the epoch of a stream that somebody has made, or says what is wrong with it.
func (b *Broker) checkLog(c *jetstream.StreamConfig) (epoch string, err error) {
	if len(c.Subjects) == 1 {
		epoch, _ = strings.CutPrefix(c.Subjects[0], b.options.Prefix+logStored)
		epoch, _ = strings.CutSuffix(epoch, ".>")
	}
	want := b.newLog(c.Name, epoch, channellayer.Retention{})
	wrong := ""
	switch {
	case !goodPart.MatchString(epoch):
		wrong = fmt.Sprintf("the subjects %q, expected one such as %q", c.Subjects, b.newLog(c.Name, newEpoch(), b.keep).Subjects[0])
	case c.RePublish == nil || *c.RePublish != *want.RePublish:
		wrong = fmt.Sprintf("no republishing from %q to %q", want.RePublish.Source, want.RePublish.Destination)
	case !c.AllowDirect:
		wrong = "no direct access (allow_direct)"
	case c.Retention != jetstream.LimitsPolicy || c.Discard != jetstream.DiscardOld:
		wrong = "another retention than limits, or does not discard the oldest"
	case c.NoAck || c.Sealed || c.SubjectTransform != nil || len(c.Sources) > 0 || c.Mirror != nil:
		wrong = "no_ack, sealed, a subject transform, sources or a mirror"
	}
	if wrong != "" {
		return "", fmt.Errorf("%w: the stream %q has %s: edit it, or delete it and it is made as it must be (then all positions are void)", errUnfit, c.Name, wrong)
	}
	return epoch, nil
}

// raise makes a stream's limits as great as those that are wanted, and reports whether one was not. A limit that is not positive is none.
func raise(c *jetstream.StreamConfig, want jetstream.StreamConfig) (raised bool) {
	if c.MaxMsgsPerSubject > 0 && c.MaxMsgsPerSubject < want.MaxMsgsPerSubject {
		c.MaxMsgsPerSubject, raised = want.MaxMsgsPerSubject, true
	}
	if c.MaxAge > 0 && c.MaxAge < want.MaxAge {
		c.MaxAge, raised = want.MaxAge, true
	}
	if c.Duplicates < want.Duplicates {
		c.Duplicates, raised = want.Duplicates, true
	}
	return raised
}
