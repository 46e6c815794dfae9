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
// stop hooks of those that were started run, and the error names it.
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
			if err := n.Start(ctx, state); err != nil {
				return fmt.Errorf("protocol: %s did not start: %w", n.Name, err)
			}
		}
		if n.Stop != nil {
			span.stops = append(span.stops, n.Stop)
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(err, span.StopAll(ctx))
	}
	span.Values = state.Values()
	return span, nil
}

// StopAll runs the stop hooks, inner ones first, and returns all their errors.
func (l *Lifespan) StopAll(ctx context.Context) error {
	var errs []error
	for _, stop := range slices.Backward(l.stops) {
		errs = append(errs, stop(ctx))
	}
	l.stops = nil
	return errors.Join(errs...)
}
