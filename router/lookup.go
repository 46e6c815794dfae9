package router

import (
	"strings"

	"github.com/portico-go/portico/protocol"
)

// A match is a route with what it takes of a path.
type match struct {
	route    *route // nil if there is none
	params   []protocol.Param
	consumed int       // bytes of the path that a mount takes
	others   methodSet // without a route: the methods for which there are some
}

// lookup returns the best match for a scope after the first skip ones, with its params
// in room if there is enough. Then it allocates nothing, unless the path has escapes or
// there are regular expressions to try.
func (r *URLRouter) lookup(scope *protocol.Scope, skip int, room []protocol.Param) match {
	path := scope.Rest()
	if path == "" {
		path = "/"
	}
	s := search{method: scope.Method(), skip: skip, escaped: strings.Contains(path, "%")}
	if !r.inTrees(&s, scope, path) {
		return r.inRegexps(&s, path)
	}
	m := match{route: s.route, params: s.route.params(room, s.values[:s.n])}
	if s.route.mounts {
		m.consumed = max(0, len(scope.Rest())-len(s.tail)) // all of an empty path is nothing
	}
	return m
}

func (r *URLRouter) inTrees(s *search, scope *protocol.Scope, path string) bool {
	if len(r.hosts) > 0 {
		if n := r.hosts[hostname(scope.Host())]; n != nil && s.walk(n, path) {
			return true
		}
	}
	return s.walk(&r.tree, path)
}

// hostname returns a Host header without its port, in lower case. Of an IPv6
// address, which no pattern has, it returns a part.
func hostname(host string) string {
	host, _, _ = strings.Cut(host, ":")
	return strings.ToLower(host)
}

func (r *URLRouter) inRegexps(s *search, path string) match {
	if len(r.regexps) == 0 {
		return match{others: s.others}
	}
	decoded := path
	if s.escaped {
		decoded = decode(path)
	}
	for _, rt := range r.regexps {
		groups := rt.regexp.FindStringSubmatchIndex(decoded[1:])
		if groups == nil {
			continue
		}
		consumed := 0
		if rt.mounts {
			if consumed = prefixEnd(path, decoded, groups[1]+1); consumed < 0 {
				continue
			}
		}
		if s.skip > 0 {
			s.skip--
			continue
		}
		return match{route: rt, params: rt.groups(decoded[1:], groups), consumed: consumed}
	}
	return match{others: s.others}
}

// prefixEnd returns where in the raw path the prefix ends whose decoded form has
// the given length: before a slash or at the end of the path, else -1.
func prefixEnd(raw, decoded string, length int) int {
	if decoded[length-1] == '/' {
		length--
	}
	end := 0
	for range length {
		if raw[end] == '%' {
			end += len("%2F") - 1
		}
		end++
	}
	if end < len(raw) && raw[end] != '/' {
		return -1
	}
	return end
}

// groups returns the captures of a match of the route's regular expression: the
// named groups, or else the unnamed ones.
func (r *route) groups(path string, at []int) []protocol.Param {
	var named, unnamed []protocol.Param
	for i, name := range r.regexp.SubexpNames() {
		if i == 0 || at[2*i] < 0 {
			continue
		}
		p := protocol.Param{Name: name, Value: path[at[2*i]:at[2*i+1]]}
		if name == "" {
			unnamed = append(unnamed, p)
		} else {
			named = append(named, p)
		}
	}
	if r.hasNames() {
		return r.withDefaults(named)
	}
	return r.withDefaults(unnamed)
}

// hasNames reports whether the regular expression has a named group.
func (r *route) hasNames() bool {
	for _, name := range r.regexp.SubexpNames() {
		if name != "" {
			return true
		}
	}
	return false
}
