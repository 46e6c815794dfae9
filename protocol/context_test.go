package protocol_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-go/portico/protocol"
)

func TestContext(t *testing.T) {
	t.Parallel()
	type valueKey struct{}
	errParent := errors.New("the server's cause")
	// Whether somebody waits for the context already makes two code paths.
	for _, waited := range []bool{false, true} {
		start := func(t *testing.T) (l *protocol.Lifecycle, ctx context.Context, cancelParent context.CancelCauseFunc) {
			parent, cancelParent := context.WithCancelCause(context.WithValue(t.Context(), valueKey{}, "v"))
			l, _ = beginWith(t, parent, &protocol.Request{Protocol: "chat", Target: "/"})
			if waited {
				select {
				case <-l.Context().Done():
					t.Fatal("done before anything happened")
				default:
				}
			}
			return l, l.Context(), cancelParent
		}
		over := func(t *testing.T, ctx context.Context, cause error) {
			t.Helper()
			select {
			case <-ctx.Done():
			default:
				t.Error("not done")
			}
			if ctx.Err() != context.Canceled || context.Cause(ctx) != cause {
				t.Errorf("Err = %v, Cause = %v; want the cause %v", ctx.Err(), context.Cause(ctx), cause)
			}
			derived, cancel := context.WithTimeout(ctx, time.Hour)
			defer cancel()
			if context.Cause(derived) != cause {
				t.Errorf("derived: Cause = %v, want %v", context.Cause(derived), cause)
			}
			if ctx.Value(valueKey{}) != "v" {
				t.Error("the value is lost")
			}
		}

		t.Run("it lives", func(t *testing.T) {
			l, ctx, cancel := start(t)
			defer cancel(nil)
			if ctx.Err() != nil || context.Cause(ctx) != nil || ctx.Value(valueKey{}) != "v" {
				t.Errorf("Err = %v, Cause = %v, value %v", ctx.Err(), context.Cause(ctx), ctx.Value(valueKey{}))
			}
			if _, ok := ctx.Deadline(); ok {
				t.Error("it has a deadline")
			}
			l.End(nil)
			over(t, ctx, context.Canceled)
		})
		t.Run("cancelled", func(t *testing.T) {
			l, ctx, cancel := start(t)
			l.Cancel(protocol.ErrReset)
			over(t, ctx, protocol.ErrReset)
			cancel(errParent)
			l.End(errTest)
			over(t, ctx, protocol.ErrReset)
		})
		t.Run("cancelled by the server's", func(t *testing.T) {
			l, ctx, cancel := start(t)
			cancel(errParent)
			over(t, ctx, errParent)
			l.End(nil)
			over(t, ctx, errParent)
		})
		t.Run("ended", func(t *testing.T) {
			l, ctx, cancel := start(t)
			l.End(errTest)
			over(t, ctx, errTest)
			cancel(errParent)
			over(t, ctx, errTest)
		})
		t.Run("derived contexts need no goroutine", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, ctx, cancel := start(t)
				defer cancel(nil)
				var derived []context.Context
				for range 10 {
					d, cancel := context.WithCancel(context.WithValue(ctx, valueKey{}, "w"))
					defer cancel()
					derived = append(derived, d)
				}
				ran := make(chan struct{})
				context.AfterFunc(ctx, func() { close(ran) })
				stop := context.AfterFunc(ctx, func() { t.Error("it was stopped") })
				if !stop() {
					t.Error("stop reports that it was too late")
				}
				l.Cancel(protocol.ErrReset)
				for _, d := range derived {
					if context.Cause(d) != protocol.ErrReset { // at once, not when a goroutine gets to it
						t.Errorf("Cause = %v right after Cancel", context.Cause(d))
					}
				}
				<-ran
				l.End(nil)
			})
		})
	}
}

// All sides of the context may be used at once; -race is the judge.
func TestContextConcurrently(t *testing.T) {
	t.Parallel()
	for range 50 {
		l, _ := begin(t)
		ctx := l.Context()
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				d, cancel := context.WithCancel(ctx)
				defer cancel()
				<-d.Done()
				if context.Cause(d) == nil || ctx.Err() == nil || ctx.Value(t) != nil {
					t.Error("it is not cancelled")
				}
			})
			wg.Go(func() { l.Cancel(errTest) })
		}
		wg.Go(func() { l.End(errLast) })
		wg.Wait()
	}
}
