package router

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// A builder puts routes into a URLRouter and finds their faults.
type builder struct {
	r   *URLRouter
	own []*Converter // the routes' own converters, in the order given
}

// add adds a route. Its errors name the route by its pattern.
func (b *builder) add(r Route) error {
	c, err := r.compile()
	if err == nil {
		err = b.addConverters(r.converters)
	}
	if err == nil {
		err = b.addNames(c)
	}
	if err != nil {
		return fmt.Errorf("router: the route %q: %w", r.text, err)
	}
	b.r.routes = append(b.r.routes, c)
	if c.regexp != nil {
		b.r.regexps = append(b.r.regexps, c)
		return nil
	}
	return b.addPattern(c)
}

func (b *builder) addConverters(converters []*Converter) error {
	for _, c := range converters {
		if slices.Contains(b.own, c) {
			continue
		}
		for _, other := range b.own {
			if other.Name == c.Name {
				return fmt.Errorf("the router has another converter called %q: rename one, or give all routes the same *Converter", c.Name)
			}
		}
		b.own = append(b.own, c)
	}
	return nil
}

// addNames adds the route's name and those of the routes behind it.
func (b *builder) addNames(r *route) error {
	if strings.Contains(r.name, ":") {
		return fmt.Errorf("the name %q has a colon, which stands between the name of a mount and a name behind it", r.name)
	}
	if r.name != "" {
		if err := b.addName(r.name, r); err != nil {
			return err
		}
	}
	if !r.mounts {
		return nil
	}
	for _, inner := range routersIn(r.app) {
		for _, name := range slices.Sorted(maps.Keys(inner.names)) {
			full := name
			if r.name != "" {
				full = r.name + ":" + name
			}
			if err := b.addName(full, append([]*route{r}, inner.names[name]...)...); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *builder) addName(name string, way ...*route) error {
	if other, taken := b.r.names[name]; taken {
		return fmt.Errorf("the name %q is that of the route %q already: give each route its own, or the mount before it one", name, other[len(other)-1].text)
	}
	b.r.names[name] = way
	return nil
}

func (b *builder) addPattern(r *route) error {
	bit, err := b.methodBit(r.pattern.method)
	if err != nil {
		return fmt.Errorf("router: the route %q: %w", r.text, err)
	}
	at := b.root(r.pattern.host).place(r.pattern, r.mounts, b.order)
	if other := at.set(r, bit); other != nil {
		return fmt.Errorf("router: the routes %q and %q match the same requests: take one out, or give them different methods, hosts or converters", other.text, r.text)
	}
	return nil
}

// root returns the tree of a host.
func (b *builder) root(host string) *node {
	if host == "" {
		return &b.r.tree
	}
	if b.r.hosts == nil {
		b.r.hosts = make(map[string]*node)
	}
	if b.r.hosts[host] == nil {
		b.r.hosts[host] = &node{}
	}
	return b.r.hosts[host]
}

func (b *builder) methodBit(method string) (methodSet, error) {
	if method == "" {
		return 0, nil
	}
	i := slices.Index(b.r.methods, method)
	if i < 0 {
		if i = len(b.r.methods); i == maxMethods {
			return 0, fmt.Errorf("the router names more than %d methods", maxMethods)
		}
		b.r.methods = append(b.r.methods, method)
	}
	return 1 << i, nil
}

// order says when a converter is tried among those at the same place: the routes'
// own in the order in which they were given, then the router's.
func (b *builder) order(c *Converter) int {
	if i := slices.Index(b.own, c); i >= 0 {
		return i
	}
	return math.MaxInt - len(builtins) + slices.Index(builtins[:], c)
}
