package workqueue

import (
	"fmt"
	"reflect"
	"time"

	"github.com/portico-go/portico/channellayer"
)

// A Job is a job as the queue keeps it, and as its worker gets it. It is read-only, and stays valid for as long as it is referenced.
type Job struct {
	// ID is the job's identifier: random, or made of its [Key]. It is no secret.
	ID string
	// Channel is the name that it was enqueued under.
	Channel string
	// Type is the name by which the worker finds its handler.
	Type string
	// Header has the fields of the event, the idempotency key among them.
	Header channellayer.Header
	// Payload is the value as the codec encoded it; empty for no value.
	Payload []byte
	// Enqueued is when it was enqueued, by the clock of who did it, to the millisecond.
	Enqueued time.Time
	// Expires is when it is too late to start it; zero is never.
	Expires time.Time
	// Attempt is the number of this attempt, from 1. It counts those whose worker has died, but not those that were given back ([Release]).
	Attempt int
	// Error says why the attempt before failed, or why the job is dead, if the store knows; it has at most [MaxError] bytes.
	Error string

	codec channellayer.Codec
}

// MaxError is the greatest length of [Job.Error], in bytes. What is longer is cut.
const MaxError = 1 << 10

// EventType returns "job": a Job is the event that its handler gets.
func (*Job) EventType() string { return "job" }

// Value returns the job's value as a T. A job without a value gives the zero T. The error is the codec's, wrapped.
func Value[T any](j *Job) (T, error) {
	var v T
	if len(j.Payload) == 0 {
		return v, nil
	}
	codec := j.codec
	if codec == nil {
		codec = channellayer.JSON{}
	}
	if err := codec.Decode(j.Payload, &v); err != nil {
		return *new(T), fmt.Errorf("workqueue: decode %q as %v: %w", j.Type, reflect.TypeFor[T](), err)
	}
	return v, nil
}
