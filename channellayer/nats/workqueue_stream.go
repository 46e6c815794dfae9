package nats

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// All jobs are in one stream. A job is the one message of a subject of its own, and what happens to it is another message of that subject, in place of the one before, if that is still there. A
// consumer for each channel hands out messages, and hands them out again when the lease has run out; but who gets one for the second time stores it anew, as one that is waiting.
// So each message is leased once, and whoever has lost his lease finds his message gone. A job that has to wait is handed out like others, and given back to the consumer until it is due.

// unused is for how long the server keeps a consumer that nobody asks for jobs.
const unused = 7 * 24 * time.Hour

// find makes sure that there is a stream for the jobs.
func (s *JobStore) find(ctx context.Context, l *link) error {
	if l.isFound() {
		return nil
	}
	if !l.open(ctx) { // one at a time: a stream that is being made answers nobody
		return ctx.Err()
	}
	defer l.opened()
	if l.isFound() {
		return nil
	}
	if err := fit(ctx, l.conn, l.js); err != nil {
		return err
	}
	want := s.newStream(l.stream)
	stream, err := l.js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		stream, err = l.js.CreateStream(ctx, want)
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // another process was quicker
			stream, err = l.js.Stream(ctx, want.Name)
		}
	}
	if err != nil {
		return fmt.Errorf("the stream %q: %w", want.Name, err)
	}
	config := stream.CachedInfo().Config
	if err := checkJobs(&config, &want); err != nil {
		return err
	}
	if config.Duplicates != want.Duplicates {
		config.Duplicates = want.Duplicates
		if _, err := l.js.UpdateStream(ctx, config); err != nil {
			return fmt.Errorf("make the stream %q know keys for %v: %w", want.Name, want.Duplicates, err)
		}
	}
	l.mu.Lock()
	l.found = true
	l.mu.Unlock()
	return nil
}

// newStream is the configuration of the stream for the jobs.
func (s *JobStore) newStream(name string) jetstream.StreamConfig {
	c := jetstream.StreamConfig{
		Name:              name,
		Description:       "Jobs under the prefix " + s.options.Prefix,
		Subjects:          []string{s.options.Prefix + "jobs.>", s.options.Prefix + "dead.>", s.options.Prefix + "keys.>"},
		MaxMsgsPerSubject: 1,
		Discard:           jetstream.DiscardNew,
		Duplicates:        max(s.limits.Window, 100*time.Millisecond), // the server's least
		AllowDirect:       true,
		AllowMsgTTL:       true,
	}
	s.stream.apply(&c)
	return c
}

// checkJobs says what is wrong with a stream that somebody has made.
func checkJobs(c, want *jetstream.StreamConfig) error {
	wrong := ""
	switch {
	case !slices.Equal(slices.Sorted(slices.Values(c.Subjects)), slices.Sorted(slices.Values(want.Subjects))):
		wrong = fmt.Sprintf("the subjects %q, expected %q", c.Subjects, want.Subjects)
	case c.MaxMsgsPerSubject != 1 || c.MaxAge != 0 || c.MaxMsgs > 0:
		wrong = fmt.Sprintf("%d messages of a subject, an age of %v and %d messages at most; expected one, and no limit otherwise", c.MaxMsgsPerSubject, c.MaxAge, c.MaxMsgs)
	case !c.AllowDirect || !c.AllowMsgTTL || c.DenyDelete || c.DenyPurge:
		wrong = "no direct access (allow_direct), or no ages of messages (allow_msg_ttl), or they may not be deleted"
	case c.Retention != jetstream.LimitsPolicy || c.Discard != jetstream.DiscardNew || c.DiscardNewPerSubject:
		wrong = "another retention than limits, or does not discard what is new"
	case c.NoAck || c.Sealed || c.SubjectTransform != nil || len(c.Sources) > 0 || c.Mirror != nil:
		wrong = "no_ack, sealed, a subject transform, sources or a mirror"
	}
	if wrong != "" {
		return fmt.Errorf("%w: the stream %q has %s: edit it, or delete it with its jobs and it is made as it must be", errUnfit, c.Name, wrong)
	}
	return nil
}

// channel returns the consumer of a channel, which is made if need be.
func (s *JobStore) channel(ctx context.Context, l *link, channel string) (*jobChannel, error) {
	l.mu.Lock()
	c := l.channels[channel]
	l.mu.Unlock()
	if c != nil {
		return c, nil
	}
	if !l.open(ctx) {
		return nil, ctx.Err()
	}
	defer l.opened()
	l.mu.Lock()
	c = l.channels[channel]
	l.mu.Unlock()
	if c != nil {
		return c, nil
	}
	consumer, err := l.js.CreateOrUpdateConsumer(ctx, l.stream, jetstream.ConsumerConfig{
		Durable:           consumerName(channel),
		Description:       "The channel " + channel,
		FilterSubject:     s.subject("jobs", channel, "*"),
		AckPolicy:         jetstream.AckExplicitPolicy,
		AckWait:           s.limits.Lease,
		MaxDeliver:        -1,
		MaxAckPending:     -1,
		MaxWaiting:        mostWaiting,
		InactiveThreshold: unused,
	})
	if err != nil {
		return nil, fmt.Errorf("the consumer of channel %q: %w", channel, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	c = &jobChannel{Consumer: consumer}
	l.channels[channel] = c
	return c, nil
}

// mostWaiting is how many Takes may wait for jobs of a channel, in all processes.
const mostWaiting = 4096

// consumerName makes a name that the server takes of any channel's.
func consumerName(channel string) string {
	sum := sha256.Sum256([]byte(channel))
	return hex.EncodeToString(sum[:16])
}

// reserve takes the place of one job in a channel, or returns false if it is full. The server is asked at most once a second while a channel is far from that.
func (s *JobStore) reserve(ctx context.Context, l *link, channel string) (bool, error) {
	c, err := s.channel(ctx, l, channel)
	if err != nil {
		return false, err
	}
	l.mu.Lock()
	free := c.room > 0 && time.Now().Before(c.until)
	if free {
		c.room--
	}
	l.mu.Unlock()
	if free {
		return true, nil
	}
	info, err := c.Info(ctx)
	if err != nil {
		return false, err
	}
	n := int(info.NumPending) + info.NumAckPending
	if n >= s.limits.Capacity-s.limits.Capacity/64-behindAtMost { // the consumer learns a moment later of what comes and goes
		if n, err = l.count(ctx, s.subject("jobs", channel, "*")); err != nil {
			return false, err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	c.room, c.until = (s.limits.Capacity-n)/16, time.Now().Add(time.Second)
	return n < s.limits.Capacity, nil
}

// behindAtMost is by how many jobs a consumer may be behind, beside a part of the capacity.
const behindAtMost = 16

// count counts the messages of subjects that have one each. It asks the stream's leader, from so far behind them that it lists none.
func (l *link) count(ctx context.Context, subject string) (int, error) {
	request := fmt.Sprintf(`{"subjects_filter":%q,"offset":%d}`, subject, 1<<30)
	answer, err := l.conn.RequestWithContext(ctx, "$JS.API.STREAM.INFO."+l.stream, []byte(request))
	if err != nil {
		return 0, err
	}
	var info struct {
		Total int                 `json:"total"`
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(answer.Data, &info); err != nil {
		return 0, err
	}
	if info.Error != nil {
		return 0, info.Error
	}
	return info.Total, nil
}
