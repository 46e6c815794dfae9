package protocol

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
)

// A Lifespan is a tree of applications whose start hooks have run.
type Lifespan struct {
	// Values are what the hooks left for the scopes.
	Values []Binding

	stops []func(context.Context) error
}

// StartAll runs the start hooks of app's tree, outer ones first. If one fails, the
// stop hooks of those that were started run, with a context of CleanupTimeout, and
// the error names it. A hook that panics fails with a *PanicError.
func StartAll(ctx context.Context, app Application) (*Lifespan, error) {
	span, state := &Lifespan{}, &LifespanState{}
	seen := map[Application]bool{}
	err := Walk(app, func(n Node) error {
		if reflect.ValueOf(n.App).Comparable() {
			if seen[n.App] {
				return nil // the same application at two places starts once
			}
			seen[n.App] = true
		}
		if n.Start != nil {
			if err := start(ctx, n, state); err != nil {
				return fmt.Errorf("protocol: %s did not start: %w", n.Name, err)
			}
		}
		if n.Stop != nil {
			span.stops = append(span.stops, n.Stop)
		}
		return nil
	})
	if err != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), CleanupTimeout)
		defer cancel()
		return nil, errors.Join(err, span.StopAll(ctx))
	}
	span.Values = state.Values()
	return span, nil
}

// StopAll runs the stop hooks, inner ones first, and returns all their errors.
func (l *Lifespan) StopAll(ctx context.Context) error {
	var errs []error
	for _, stop := range slices.Backward(l.stops) {
		errs = append(errs, runStop(ctx, stop))
	}
	l.stops = nil
	return errors.Join(errs...)
}

func start(ctx context.Context, n Node, state *LifespanState) (err error) {
	defer recoverTo(&err)
	return n.Start(ctx, state)
}

func runStop(ctx context.Context, stop func(context.Context) error) (err error) {
	defer recoverTo(&err)
	return stop(ctx)
}
