package router

import (
	"cmp"
	"slices"
	"strings"
)

// A node is a place between two slashes. The tree has one edge per segment, so a
// lookup visits each node at most once, however many branches it tries.
type node struct {
	literals  map[string]*node
	converted []convertedEdge // in the order in which they are tried
	plain     *node           // {name}
	end       place           // patterns that end here
	mount     place           // prefixes that end here
	rest      place           // {name...} behind a slash here
}

type convertedEdge struct {
	conv  *Converter
	order int
	to    *node
}

// place returns where the routes of a pattern belong, and makes the nodes on the
// way. order says when a converter is tried.
func (n *node) place(p *pattern, mounts bool, order func(*Converter) int) *place {
	for _, seg := range p.segments {
		switch {
		case seg.kind == rest:
			return &n.rest
		case seg.kind == literal:
			n = n.literal(seg.text)
		case seg.conv != nil:
			n = n.behind(seg.conv, order(seg.conv))
		default:
			if n.plain == nil {
				n.plain = &node{}
			}
			n = n.plain
		}
	}
	if mounts {
		return &n.mount
	}
	return &n.end
}

func (n *node) literal(text string) *node {
	to := n.literals[text]
	if to == nil {
		if n.literals == nil {
			n.literals = make(map[string]*node)
		}
		to = &node{}
		n.literals[text] = to
	}
	return to
}

func (n *node) behind(c *Converter, order int) *node {
	i, found := slices.BinarySearchFunc(n.converted, order, func(e convertedEdge, order int) int {
		return cmp.Compare(e.order, order)
	})
	if !found {
		n.converted = slices.Insert(n.converted, i, convertedEdge{c, order, &node{}})
	}
	return n.converted[i].to
}

// A search is one look into a tree. It is made for the stack of its caller.
type search struct {
	method  string
	escaped bool // the path has percent escapes
	skip    int  // how many matching routes to pass over

	n      int // how many captures there are
	values [maxWildcards]string
	route  *route // what was found
	tail   string // what it left of the path

	others methodSet // methods for which the path has routes
}

// walk looks in n for the best route for path, which is empty or starts with a
// slash. The order of its lines is the precedence of patterns.
func (s *search) walk(n *node, path string) bool {
	if path == "" {
		return s.take(&n.end, "") || s.take(&n.mount, "")
	}
	raw, tail := path[1:], ""
	if i := strings.IndexByte(raw, '/'); i >= 0 {
		raw, tail = raw[:i], raw[i:]
	}
	seg := raw
	if s.escaped {
		seg = decode(raw)
	}
	if to := n.literals[seg]; to != nil && s.walk(to, tail) {
		return true
	}
	if seg != "" && s.wildcards(n, seg, tail) {
		return true
	}
	return s.take(&n.mount, path) || s.takeRest(&n.rest, path)
}

// wildcards follows the edges of n that capture a segment.
func (s *search) wildcards(n *node, seg, tail string) bool {
	if n.plain == nil && len(n.converted) == 0 {
		return false
	}
	s.values[s.n] = seg
	s.n++
	for i := range n.converted {
		if e := &n.converted[i]; e.conv.Match(seg) && s.walk(e.to, tail) {
			return true
		}
	}
	if n.plain != nil && s.walk(n.plain, tail) {
		return true
	}
	s.n--
	return false
}

// take finds the route of a place for the method, unless it is to be skipped.
func (s *search) take(p *place, tail string) bool {
	r := p.pick(s.method)
	if r == nil {
		if s.method != "" {
			s.others |= p.declared
		}
		return false
	}
	if s.skip > 0 {
		s.skip--
		return false
	}
	s.route, s.tail = r, tail
	return true
}

// takeRest is take for a wildcard that captures all that is behind the slash.
func (s *search) takeRest(p *place, path string) bool {
	if !s.take(p, "") {
		return false
	}
	s.values[s.n] = path[1:]
	if s.escaped {
		s.values[s.n] = decode(path[1:])
	}
	s.n++
	return true
}
