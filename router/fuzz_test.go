package router_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/router"
)

// A pattern that is taken can be reversed, and its path leads to it with the same
// captures.
func FuzzPattern(f *testing.F) {
	for _, seed := range []string{
		"/", "/a/", "/{x}", "GET /a/{x:int}/{y:slug}/{z...}", "h.example/{id:uuid}/{$}", "POST example.com/%2F/{a_1:str}",
		"/{", "/}{", "//", "/{x...}/", "GET  ", "/%zz", "/{x:int...}", "/é%C3/{ü}", "/a?b#c", "/{$}{$}",
	} {
		f.Add(seed, "a/b%2F ü")
	}
	f.Fuzz(func(t *testing.T, pattern, arg string) {
		for _, mount := range []bool{false, true} {
			route := router.Path(pattern, app("x"), router.Name("x"))
			if mount {
				route = router.Mount(pattern, app("x"), router.Name("x"))
			}
			r, err := router.NewURLRouter(route)
			if err != nil {
				continue
			}
			if _, err := router.NewURLRouter(route, route); err == nil {
				t.Fatalf("%q does not conflict with itself", pattern)
			}
			checkRoundTrip(t, r, arg)
		}
	})
}

// checkRoundTrip reverses the route "x" of r and opens what comes out.
func checkRoundTrip(t *testing.T, r *router.URLRouter, arg string) {
	t.Helper()
	info := router.Routes(r)[0]
	var args []any
	var want strings.Builder
	want.WriteString("x")
	for segment := range strings.SplitSeq(info.Pattern, "/") {
		name, ok := strings.CutPrefix(segment, "{")
		if !ok || segment == "{$}" {
			continue
		}
		name, conv, _ := strings.Cut(strings.TrimSuffix(name, "}"), ":")
		value := arg
		switch conv {
		case "int":
			value = "42"
		case "uuid":
			value = "0190aa5c-8a3b-7cc2-9a1e-6f0d1c2b3a4f"
		case "slug":
			value = "a-b_1"
		}
		args = append(args, value)
		fmt.Fprintf(&want, " %s=%s", strings.TrimSuffix(name, "..."), value)
	}
	path, err := r.Reverse("x", args...)
	if err != nil {
		if _, _, _, bad := protocol.SplitTarget("/" + escaped(arg)); bad == nil && arg != "" {
			t.Fatalf("Reverse of %q with %q: %v", info.Pattern, args, err)
		}
		return
	}
	headers, err := protocol.NewHeaders(protocol.Fields{{Name: "Host", Value: info.Host}})
	if err != nil {
		t.Fatalf("the host of %q: %v", info.Pattern, err)
	}
	o, err := try(t, r, &protocol.Request{Protocol: "http", Method: info.Method, Target: path, Headers: headers})
	if err != nil {
		t.Fatalf("%q: %s, made of %q, leads to %v", info.Pattern, path, args, err)
	}
	got := string(o.app)
	for p := range o.scope.Params() {
		got += " " + p.Name + "=" + p.Value
	}
	if got != want.String() {
		t.Fatalf("%q: %s leads to %q, want %q", info.Pattern, path, got, want.String())
	}
}

func escaped(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if s[i] == '/' {
			b.WriteByte('/')
		} else {
			fmt.Fprintf(&b, "%%%02X", s[i])
		}
	}
	return b.String()
}

// fuzzed are the patterns of FuzzMatch, in the order of their precedence: what is
// tried first comes first. That a router finds the same as a walk over this list
// is what the fuzzer checks.
var fuzzed = []string{
	"/", "/a", "/a/", "/a/b", "/a/b/c", "/a/{x:int}", "/a/{x:int}/c", "/a/{x:slug}/d", "/a/{x}", "/a/{x}/c", "/a/{x}/{y}/{z}", "/a/{x...}",
	"/b/{x:int}/{y:int}", "/b/{x}/{y:slug}", "/b/{x}/{y...}", "/{x:int}", "/{x:int}/c", "/{x}/b", "/{x}/{y}/c", "/{x...}",
}

func FuzzMatch(f *testing.F) {
	for _, seed := range []string{"/", "/a", "/a/b/c", "/a/1/c", "/a/x/d", "/b/1/2", "/b/1/x", "/b//", "/b/1/%2F", "/%61/b", "/1/c", "/x/y/c", "/a/%2e", "//", "/a/b/c/d"} {
		f.Add(seed, uint32(0))
		f.Add(seed, uint32(0b1010101010101010101))
	}
	routes := make([]router.Route, len(fuzzed))
	f.Fuzz(func(t *testing.T, path string, refuse uint32) {
		for i, pattern := range fuzzed {
			var a protocol.Application = app(pattern)
			if refuse&(1<<i) != 0 {
				a = noRoute
			}
			routes[i] = router.Path(pattern, a)
		}
		slices.Reverse(routes) // the order given must not matter
		r := routerOf(t, routes...)
		scope, err := protocol.NewScope(get(path))
		if err != nil {
			return
		}
		want := "404"
		for i, pattern := range fuzzed {
			if refuse&(1<<i) == 0 && matches(pattern, cmp.Or(scope.RawPath(), "/")) {
				want = pattern
				break
			}
		}
		got, _, _ := strings.Cut(open(t, r, get(path)), " ")
		if got != want {
			t.Fatalf("%q leads to %q, want %q", path, got, want)
		}
	})
}

// matches is matching as the package comment puts it, segment by segment.
func matches(pattern, path string) bool {
	segments := strings.Split(path[1:], "/")
	for i, p := range strings.Split(pattern[1:], "/") {
		if strings.HasSuffix(p, "...}") {
			return len(segments) > i
		}
		if i == len(segments) {
			return false
		}
		segment := unescape(segments[i])
		switch {
		case strings.HasSuffix(p, ":int}"):
			if segment == "" || len(segment) > 18 || strings.Trim(segment, "0123456789") != "" {
				return false
			}
		case strings.HasSuffix(p, ":slug}"):
			if segment == "" || strings.Trim(segment, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" {
				return false
			}
		case strings.HasSuffix(p, "}"):
			if segment == "" {
				return false
			}
		case segment != p:
			return false
		}
	}
	return len(segments) == strings.Count(pattern, "/")
}

func unescape(segment string) string {
	scope, err := protocol.NewScope(get("/" + segment))
	if err != nil {
		return segment
	}
	return scope.Path()[1:]
}
