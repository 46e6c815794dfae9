package consumer

import (
	"context"
	"errors"
	"fmt"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/workqueue"
	"github.com/portico-go/portico/protocol"
)

// Jobs is a consumer for the jobs of a work queue, which the package worker runs.
// Write it as a literal, and put its address into a router.ChannelNameRouter:
//
//	&consumer.Jobs{Layer: hub, Handlers: consumer.JobHandlers{"photo.added": consumer.Do(makeThumbnail)}}
//
// Handlers run at the same time, as many as the worker's Policy says. A Jobs must not
// be changed once a worker uses it; protocol.Check reports what is wrong with it.
type Jobs struct {
	// Layer is the channel layer through which handlers answer. nil is none.
	Layer *channellayer.Hub
	// Handlers do the jobs, by the type of the event that was enqueued; see Do.
	Handlers JobHandlers
	// Unhandled does the jobs of all other types. If it is nil they fail, and are tried
	// again, perhaps by a worker that runs a newer release.
	Unhandled func(ctx context.Context, job *Job) error
}

// JobHandlers are the handlers of jobs, by type. nil from a handler says that the job
// is done; an error that it is to be tried again, unless it is a workqueue.Permanent
// or a *protocol.Reject with a status below 500, after which it is dead. ctx is
// cancelled when the handler has to give up: its time is over, the job was given to
// somebody else, or the worker shuts down. What the handler did must bear to be done
// twice.
type JobHandlers map[string]func(ctx context.Context, job *Job) error

// A Job is a job as its handler sees it.
type Job struct {
	*workqueue.Job
	// Conn has the scope, with all that middleware put into it, and the channel layer.
	// There is no client: what is sent to it is an error.
	Conn *Conn
}

// Do makes an entry of JobHandlers of a function that takes a typed value. A job whose
// value is no T is dead at once.
func Do[T any](handle func(ctx context.Context, job *Job, value T) error) func(context.Context, *Job) error {
	return func(ctx context.Context, job *Job) error {
		value, err := workqueue.Value[T](job.Job)
		if err != nil {
			return workqueue.Permanent(fmt.Errorf("consumer: the job %q is no %T: %w", job.Type, value, err))
		}
		return handle(ctx, job, value)
	}
}

// Open implements protocol.Application.
func (j *Jobs) Open(_ context.Context, scope *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
	if scope.Protocol() != "channel" {
		return nil, &protocol.Reject{
			Status: 500,
			Err:    fmt.Errorf("consumer: Jobs does the jobs of a worker, and cannot serve %s", scope.Protocol()),
		}
	}
	c := &Conn{Conn: conn, scope: scope, layer: j.Layer}
	return protocol.HandlerFunc(func(ctx context.Context, ev protocol.Event) error {
		switch ev := ev.(type) {
		case *workqueue.Job:
			return j.do(ctx, &Job{Job: ev, Conn: c})
		case *protocol.Disconnect:
			c.inbox.close()
		}
		return nil
	}), nil
}

func (j *Jobs) do(ctx context.Context, job *Job) error {
	handle, ok := j.Handlers[job.Type]
	switch {
	case ok:
		return handle(ctx, job)
	case j.Unhandled != nil:
		return j.Unhandled(ctx, job)
	}
	return fmt.Errorf("consumer: the job %q has no handler", job.Type)
}

// Describe implements protocol.Described.
func (j *Jobs) Describe() protocol.Description {
	var errs []error
	for name, handle := range j.Handlers {
		if err := channellayer.CheckName(name); err != nil {
			errs = append(errs, err)
		}
		if handle == nil {
			errs = append(errs, fmt.Errorf("consumer: the job %q has a nil handler: use consumer.Do", name))
		}
	}
	if len(j.Handlers) == 0 && j.Unhandled == nil {
		errs = append(errs, errors.New("consumer: Jobs has no Handlers: no job could ever be done"))
	}
	return protocol.Description{Name: "consumer.Jobs", Err: errors.Join(errs...)}
}
