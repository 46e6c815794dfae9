package workqueue

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"strings"
	"time"

	"github.com/portico-go/portico/channellayer"
)

// A Config says how a [Queue] works. The zero value is useful.
type Config struct {
	// Store keeps the jobs; nil is a [Memory] with the default limits, whose jobs are gone with the process. The queue closes it.
	Store Store
	// Codec encodes the values; nil means JSON. All processes that share a store must use the same one.
	Codec channellayer.Codec
}

// A Queue is where jobs are put, and where workers take them from, for any number of channels. Its methods are safe for concurrent use.
type Queue struct {
	store     Store
	inspector Inspector // nil if the store is none
	codec     channellayer.Codec
}

// New returns a queue.
func New(c Config) (*Queue, error) {
	q := &Queue{store: c.Store, codec: c.Codec}
	if q.store == nil {
		memory, err := NewMemory(Limits{})
		if err != nil {
			return nil, err
		}
		q.store = memory
	}
	if q.codec == nil {
		q.codec = channellayer.JSON{}
	}
	q.inspector, _ = q.store.(Inspector)
	return q, nil
}

// A Receipt says that a job is kept.
type Receipt struct {
	// ID is the job's.
	ID string
	// Duplicate says that a job with the same [Key] was enqueued before, and that this one was not kept.
	Duplicate bool
}

// An Option changes how one job is enqueued.
type Option interface{ apply(p *placement) }

// A placement is what options say.
type placement struct {
	key           string
	keyed         bool
	delay, expiry time.Duration
}

type (
	keyOption    string
	delayOption  time.Duration
	expiryOption time.Duration
)

func (o keyOption) apply(p *placement)    { p.key, p.keyed = string(o), true }
func (o delayOption) apply(p *placement)  { p.delay = time.Duration(o) }
func (o expiryOption) apply(p *placement) { p.expiry = time.Duration(o) }

// Key makes the job one that is enqueued once: further ones of the channel with the same key have no effect for as long as Limits.Window says, whatever has become of
// the first. The key is what [channellayer.CheckName] allows, and the worker finds it in the header channellayer.HeaderIdempotencyKey; an event that comes with that header need not be given a Key.
func Key(key string) Option { return keyOption(key) }

// Delay makes the job wait for d before it may start. The store's clock counts. Negative is none.
func Delay(d time.Duration) Option { return delayOption(d) }

// Expiry makes the job dead if it was not started within d from now; zero is never. The clocks of this process and of the worker's count: they should agree to within
// the accuracy that you expect. It counts for later attempts too.
func Expiry(d time.Duration) Option { return expiryOption(d) }

// Enqueue keeps a job, and returns when it is as durable as the store makes it. The event's Type is the name by which the worker finds its handler; its Value is encoded before Enqueue returns.
//
// A channel with too many jobs is a [*FullError]. Other errors match channellayer.ErrInvalidName, channellayer.ErrTooLarge or [ErrClosed], or are the codec's, the
// context's or the store's. With those of the last two kinds the job may be kept or not; enqueue it again with the same [Key] to be sure.
func (q *Queue) Enqueue(ctx context.Context, channel string, ev channellayer.Event, options ...Option) (Receipt, error) {
	var p placement
	for _, o := range options {
		o.apply(&p)
	}
	job, err := q.job(channel, ev, &p)
	if err != nil {
		return Receipt{}, err
	}
	id := job.ID
	added, err := q.store.Put(ctx, job, max(p.delay, 0), p.keyed)
	if err != nil {
		return Receipt{}, err
	}
	return Receipt{ID: id, Duplicate: !added}, nil
}

// job makes the job that is kept. Everything that can be wrong with it is an error here.
func (q *Queue) job(channel string, ev channellayer.Event, p *placement) (*Job, error) {
	if err := channellayer.CheckName(channel); err != nil {
		return nil, fmt.Errorf("workqueue: channel: %w", err)
	}
	if err := channellayer.CheckName(ev.Type); err != nil {
		return nil, fmt.Errorf("workqueue: event type: %w", err)
	}
	if p.expiry < 0 {
		return nil, fmt.Errorf("workqueue: Expiry is %v, expected a time to come", p.expiry)
	}
	job := &Job{Channel: channel, Type: ev.Type, Enqueued: time.Now().Truncate(time.Millisecond)}
	if err := keyed(job, ev.Header, p); err != nil {
		return nil, err
	}
	if p.expiry > 0 {
		job.Expires = time.Now().Add(p.expiry).Truncate(time.Millisecond)
	}
	if ev.Value != nil {
		var err error
		if job.Payload, err = q.codec.Encode(ev.Value); err != nil {
			return nil, fmt.Errorf("workqueue: encode %q: %w", ev.Type, err)
		}
	}
	return job, checkSize(job)
}

// keyed gives the job its header and its ID.
func keyed(job *Job, header channellayer.Header, p *placement) error {
	job.Header = append(channellayer.Header(nil), header...)
	found := header.Get(channellayer.HeaderIdempotencyKey)
	switch {
	case p.keyed && found == "":
		job.Header = append(job.Header, channellayer.Field{Key: channellayer.HeaderIdempotencyKey, Value: p.key})
	case p.keyed && found != p.key:
		return fmt.Errorf("workqueue: the Key %q and the header %s %q differ: give one of them", p.key, channellayer.HeaderIdempotencyKey, found)
	case found != "":
		p.key, p.keyed = found, true
	}
	if !p.keyed {
		job.ID = strings.ToLower(rand.Text())
		return nil
	}
	if err := channellayer.CheckName(p.key); err != nil {
		return fmt.Errorf("workqueue: key: %w", err)
	}
	sum := sha256.Sum256([]byte(job.Channel + "\x00" + p.key))
	job.ID = strings.ToLower(base32.StdEncoding.EncodeToString(sum[:])[:len(rand.Text())])
	return nil
}

// checkSize reports what an envelope could not carry.
func checkSize(job *Job) error {
	if len(job.Payload) > channellayer.MaxPayload {
		return fmt.Errorf("%w: %q has a payload of %d bytes, at most %d are allowed", channellayer.ErrTooLarge, job.Type, len(job.Payload), channellayer.MaxPayload)
	}
	if len(job.Header) > channellayer.MaxHeaders {
		return fmt.Errorf("%w: %d header fields, at most %d are allowed", channellayer.ErrTooLarge, len(job.Header), channellayer.MaxHeaders)
	}
	for _, f := range job.Header {
		if err := channellayer.CheckName(f.Key); err != nil {
			return fmt.Errorf("workqueue: header key: %w", err)
		}
		if len(f.Value) > channellayer.MaxHeaderValue {
			return fmt.Errorf("%w: header %q has %d bytes, at most %d are allowed", channellayer.ErrTooLarge, f.Key, len(f.Value), channellayer.MaxHeaderValue)
		}
	}
	return nil
}

// Take is [Store.Take]. The package worker calls it, and so may others who do jobs.
func (q *Queue) Take(ctx context.Context, channel string, most int) ([]*Lease, error) {
	if err := channellayer.CheckName(channel); err != nil {
		return nil, fmt.Errorf("workqueue: channel: %w", err)
	}
	leases, err := q.store.Take(ctx, channel, max(most, 1))
	for _, l := range leases {
		l.Job.codec = q.codec
	}
	return leases, err
}

// Settle is [Store.Settle]. An Outcome.Error that is longer than [MaxError] is cut.
func (q *Queue) Settle(ctx context.Context, l *Lease, o Outcome) error {
	o.Error = shorten(o.Error)
	return q.store.Settle(ctx, l, o)
}

// shorten returns valid UTF-8 of at most MaxError bytes.
func shorten(text string) string {
	if len(text) > MaxError {
		text = text[:MaxError]
	}
	return strings.ToValidUTF8(text, "")
}

// Extend is [Store.Extend].
func (q *Queue) Extend(ctx context.Context, l *Lease) error { return q.store.Extend(ctx, l) }

// Stats is [Inspector.Stats]. If the store is no Inspector the error matches [ErrNotInspectable], as it does for the methods below.
func (q *Queue) Stats(ctx context.Context, channel string) (Stats, error) {
	if q.inspector == nil {
		return Stats{}, ErrNotInspectable
	}
	return q.inspector.Stats(ctx, channel)
}

// Dead is [Inspector.Dead].
func (q *Queue) Dead(ctx context.Context, channel string, skip, most int) ([]*DeadJob, error) {
	if q.inspector == nil {
		return nil, ErrNotInspectable
	}
	dead, err := q.inspector.Dead(ctx, channel, max(skip, 0), max(most, 1))
	for _, d := range dead {
		d.codec = q.codec
	}
	return dead, err
}

// Revive is [Inspector.Revive].
func (q *Queue) Revive(ctx context.Context, channel, id string) error {
	if q.inspector == nil {
		return ErrNotInspectable
	}
	return q.inspector.Revive(ctx, channel, id)
}

// Remove is [Inspector.Remove].
func (q *Queue) Remove(ctx context.Context, channel, id string) error {
	if q.inspector == nil {
		return ErrNotInspectable
	}
	return q.inspector.Remove(ctx, channel, id)
}

// Close closes the queue and its store.
func (q *Queue) Close() error { return q.store.Close() }
