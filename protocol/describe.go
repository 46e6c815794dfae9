package protocol

import (
	"context"
	"errors"
	"fmt"
)

// A Description is what a middleware, router or consumer says of itself, so that a
// server can check and list what it serves before it listens.
type Description struct {
	// Name says what it is: "session", "URLRouter".
	Name string
	// Provides lists the keys that scopes have behind it.
	Provides []AnyKey
	// Requires lists the keys that scopes must have when they reach it.
	Requires []AnyKey
	// Inner lists the applications it leads to.
	Inner []Inner
	// Err is a fault found when it was made, such as a conflict of two routes.
	Err error
	// Start is called before the server listens, outer ones first. It may put
	// values into state, which all scopes then have. Its ctx is the server's.
	Start func(ctx context.Context, state *LifespanState) error
	// Stop is called when all connections are over, inner ones first, also if a
	// later Start failed.
	Stop func(ctx context.Context) error
}

// An Inner is an application that another one leads to.
type Inner struct {
	// Label says when: a protocol, a route's pattern; "" for a middleware's only one.
	Label string
	App   Application
}

// Described is implemented by applications that can describe themselves. Others
// are taken as opaque ends of the tree.
type Described interface {
	Describe() Description
}

// LifespanState collects what start hooks leave for the scopes.
type LifespanState struct{ values []Binding }

// Set binds values in every scope of the server.
func (s *LifespanState) Set(values ...Binding) { s.values = append(s.values, values...) }

// Values returns what was set.
func (s *LifespanState) Values() []Binding { return s.values }

// A Node is a place in the tree of applications.
type Node struct {
	// Labels are the labels on the way from the root, the empty ones left out.
	Labels []string
	// Names are the names of the applications on that way, with its own as the last.
	Names []string
	App   Application
	Description
}

// Walk calls visit for app and all that it leads to, outer ones first. An
// application that is no Described is visited with its Go type as its name.
func Walk(app Application, visit func(Node) error) error {
	return walk(app, nil, nil, visit)
}

func walk(app Application, labels, names []string, visit func(Node) error) error {
	var d Description
	if described, ok := app.(Described); ok {
		d = described.Describe()
	} else {
		d.Name = fmt.Sprintf("%T", app)
	}
	n := Node{Labels: labels, Names: append(names[:len(names):len(names)], d.Name), App: app, Description: d}
	if err := visit(n); err != nil {
		return err
	}
	for _, inner := range d.Inner {
		sub := labels
		if inner.Label != "" {
			sub = append(labels[:len(labels):len(labels)], inner.Label)
		}
		if err := walk(inner.App, sub, n.Names, visit); err != nil {
			return err
		}
	}
	return nil
}

// Check returns all faults of the tree of applications: faults of construction,
// and requirements that nothing around provides, with both sides named.
func Check(app Application) error { return check(app, "", nil) }

// A provision is a key that is provided on the way to an application.
type provision struct {
	key *keyID
	by  string
}

func check(app Application, where string, have []provision) error {
	if app == nil {
		return fmt.Errorf("protocol: there is no application%s: it is nil", where)
	}
	described, ok := app.(Described)
	if !ok {
		return nil
	}
	d := described.Describe()
	var errs []error
	if d.Err != nil {
		errs = append(errs, fmt.Errorf("%s%s: %w", d.Name, where, d.Err))
	}
	for _, key := range d.Requires {
		if err := checkRequired(d, key, where, have); err != nil {
			errs = append(errs, err)
		}
	}
	for _, key := range d.Provides {
		have = append(have[:len(have):len(have)], provision{key.identity(), d.Name})
	}
	for _, inner := range d.Inner {
		at := where
		if inner.Label != "" {
			at += " at " + inner.Label
		}
		errs = append(errs, check(inner.App, at, have))
	}
	return errors.Join(errs...)
}

func checkRequired(d Description, key AnyKey, where string, have []provision) error {
	for _, p := range have {
		if p.key == key.identity() {
			return nil
		}
	}
	advice := "nothing around it provides it: put a middleware that does outside of it"
	for _, inner := range d.Inner {
		if by := providerWithin(inner.App, key); by != "" {
			advice = fmt.Sprintf("%s provides it but stands inside: put %s outside of %s", by, by, d.Name)
		}
	}
	return fmt.Errorf("protocol: %s%s needs %q; %s", d.Name, where, key.Name(), advice)
}

// providerWithin returns the name of an application in app's tree that provides
// key, or "".
func providerWithin(app Application, key AnyKey) (name string) {
	_ = Walk(app, func(n Node) error { // visit never fails
		for _, k := range n.Provides {
			if k.identity() == key.identity() && name == "" {
				name = n.Name
			}
		}
		return nil
	})
	return name
}
