package router

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/portico-go/portico/protocol"
)

// Reverse returns the path of the route called name, percent-encoded, with args
// for its wildcards in order, those of mounts first. Strings and what fmt.Sprint
// prints are args; each must be what its wildcard takes, and one for {name...} may
// be empty and have slashes.
//
// The name of a route behind a mount with a name is "mount:route"; behind one
// without it is the route's own. Routers are found behind middleware that is
// protocol.Described.
//
// The path has no root path in front of it: that is Scope.RootPath of the scope
// that r was opened with. Routes with a regular expression cannot be reversed.
func (r *URLRouter) Reverse(name string, args ...any) (string, error) {
	chain, ok := r.names[name]
	if !ok {
		return "", fmt.Errorf("router: no route is called %q: give it the name with router.Name, and write mount:route for one behind a mount with a name", name)
	}
	var path strings.Builder
	var err error
	for _, rt := range chain {
		if args, err = rt.reverse(&path, args); err != nil {
			return "", fmt.Errorf("router: reversing %q: the route %q: %w", name, rt.text, err)
		}
	}
	if len(args) > 0 {
		return "", fmt.Errorf("router: reversing %q: %d args are left over", name, len(args))
	}
	if path.Len() == 0 {
		return "/", nil
	}
	if _, _, _, err := protocol.SplitTarget(path.String()); err != nil {
		return "", fmt.Errorf("router: reversing %q: %w", name, err)
	}
	return path.String(), nil
}

// routersIn returns the nearest URLRouters that app leads to.
func routersIn(app protocol.Application) []*URLRouter {
	if r, ok := app.(*URLRouter); ok {
		return []*URLRouter{r}
	}
	d, ok := app.(protocol.Described)
	if !ok {
		return nil
	}
	var routers []*URLRouter
	for _, inner := range d.Describe().Inner {
		routers = append(routers, routersIn(inner.App)...)
	}
	return routers
}

// reverse appends the route's part of a path and returns the args that are left.
func (r *route) reverse(path *strings.Builder, args []any) ([]any, error) {
	if r.pattern == nil {
		return nil, errors.New("a regular expression cannot be reversed: use router.Path or router.Mount")
	}
	for _, seg := range r.pattern.segments {
		path.WriteByte('/')
		if seg.kind == literal {
			path.WriteString(url.PathEscape(seg.text))
			continue
		}
		if len(args) == 0 {
			return nil, fmt.Errorf("there is no arg for the wildcard %q", seg.text)
		}
		text := fmt.Sprint(args[0])
		args = args[1:]
		if seg.kind == rest {
			text = escapeSegments(text)
		} else if err := seg.takes(text); err != nil {
			return nil, err
		} else {
			text = url.PathEscape(text)
		}
		path.WriteString(text)
	}
	return args, nil
}

// takes returns an error if a wildcard does not take the text.
func (s segment) takes(text string) error {
	switch {
	case text == "":
		return fmt.Errorf("the arg for the wildcard %q is empty", s.text)
	case s.conv != nil && !s.conv.Match(text):
		return fmt.Errorf("the arg %q is not what {%s:%s} takes", text, s.text, s.conv.Name)
	}
	return nil
}

func escapeSegments(text string) string {
	segments := strings.Split(text, "/")
	for i := range segments {
		segments[i] = url.PathEscape(segments[i])
	}
	return strings.Join(segments, "/")
}
