package worker

import (
	"errors"
	"os"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/portico-go/portico/channellayer/workqueue"
	"github.com/portico-go/portico/internal/stack"
	"github.com/portico-go/portico/protocol"
)

// defaultLogger writes warnings and errors as JSON to standard error.
func defaultLogger() *zap.Logger {
	encoder := zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())
	return zap.New(zapcore.NewCore(encoder, zapcore.Lock(os.Stderr), zap.WarnLevel))
}

// log returns a logger that says which job it is about, and nothing of what is in it.
func (a *attempt) log() *zap.Logger {
	job := a.lease.Job
	return a.lane.w.log.With(zap.String("channel", job.Channel), zap.String("job", job.ID), zap.String("type", job.Type), zap.Int("attempt", job.Attempt))
}

// logStuck logs where a handler is that does not return.
func (a *attempt) logStuck(and string) {
	a.log().Error("a handler does not return though its context is cancelled: "+and, zap.ByteString("stack", stack.Of(a.life)))
}

// logOutcome logs an attempt that failed, and an outcome that the queue has not taken.
func (a *attempt) logOutcome(o workqueue.Outcome, why, unkept error) {
	fields := []zap.Field{zap.Error(why)}
	if p, ok := errors.AsType[*protocol.PanicError](why); ok {
		fields = append(fields, zap.ByteString("stack", p.Stack))
	}
	switch {
	case unkept != nil:
		a.log().Error("the queue did not take what became of a job: it runs again", append(fields, zap.NamedError("queue", unkept))...)
	case o.Verdict == workqueue.Bury:
		a.log().Error("a job is dead", fields...)
	case o.Verdict == workqueue.Retry:
		a.log().Warn("a job failed and is tried again", append(fields, zap.Duration("after", o.After))...)
	case o.Verdict == workqueue.Release:
		a.log().Info("a job is given back", fields...)
	}
}

// An observer logs what fails in a job's cleanups, and tells Config.Observer of everything. Why a job fails is logged with what becomes of it.
type observer attempt

// Observe implements protocol.Observer.
func (o *observer) Observe(ob protocol.Observation) {
	a := (*attempt)(o)
	if ob.Kind == protocol.Failed {
		a.mu.Lock()
		handled := a.handled
		a.mu.Unlock()
		if handled {
			a.log().Error("the application failed behind a job", zap.Error(ob.Err))
		}
	}
	if next := a.lane.w.cfg.Observer; next != nil {
		next.Observe(ob)
	}
}
