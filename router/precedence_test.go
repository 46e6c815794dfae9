package router_test

import (
	"slices"
	"testing"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/router"
)

var (
	year = &router.Converter{Name: "year", Match: func(s string) bool { return len(s) == 4 && s >= "1900" && s <= "2999" }}
	even = &router.Converter{Name: "even", Match: func(s string) bool { return (s[len(s)-1]-'0')%2 == 0 }}
)

// Each table is tried in the order given and in the opposite one.
func TestTheMostSpecificRouteWins(t *testing.T) {
	t.Parallel()
	path := func(pattern string, opts ...router.RouteOption) router.Route {
		return router.Path(pattern, app(pattern), opts...)
	}
	for name, c := range map[string]struct {
		routes []router.Route
		want   map[string]string
	}{
		"kinds of segments": {
			[]router.Route{
				path("/{rest...}"), path("/{x}"), path("/{x:slug}"), path("/{x:uuid}"), path("/{x:int}"), path("/7"),
				path("/{x:year}", router.Convert(year)),
			},
			map[string]string{
				"/7":                                    "/7",
				"/2026":                                 "/{x:year} x=2026",
				"/42":                                   "/{x:int} x=42",
				"/0190AA5c-8a3b-7cc2-9a1e-6f0d1c2b3a4f": "/{x:uuid} x=0190AA5c-8a3b-7cc2-9a1e-6f0d1c2b3a4f",
				"/0190aa5c-8a3b-7cc2-9a1e-6f0d1c2b3a4g": "/{x:slug} x=0190aa5c-8a3b-7cc2-9a1e-6f0d1c2b3a4g",
				"/an-entry_2":                           "/{x:slug} x=an-entry_2",
				"/a.b":                                  "/{x} x=a.b",
				"/a/b":                                  "/{rest...} rest=a/b",
				"/":                                     "/{rest...} rest=",
			},
		},
		"from the left, with ways back": {
			[]router.Route{
				path("/{a}/{b}/{c}"), path("/x/{b}/z"), path("/{a}/y/z"), path("/x/y/{n:int}"), path("/x/{rest...}"),
			},
			map[string]string{
				"/x/y/1":   "/x/y/{n:int} n=1",
				"/x/y/z":   "/x/{b}/z b=y",
				"/w/y/z":   "/{a}/y/z a=w",
				"/x/y/q":   "/x/{rest...} rest=y/q",
				"/w/y/q":   "/{a}/{b}/{c} a=w b=y c=q",
				"/x/y/1/2": "/x/{rest...} rest=y/1/2",
				"/x/":      "/x/{rest...} rest=",
				"/x":       "404",
			},
		},
		"mounts after what is longer, before the rest": {
			[]router.Route{
				path("/m/{rest...}"), router.Mount("/m", app("mount")), path("/m"), path("/m/"), path("/m/{x:int}"),
			},
			map[string]string{
				"/m": "/m", "/m/": "/m/", "/m/1": "/m/{x:int} x=1", "/m/x": "mount /m|/x", "/m/1/2": "mount /m|/1/2",
			},
		},
		"hosts before paths": {
			[]router.Route{path("/a"), path("one.example/{x}"), path("GET Two.Example/a")},
			map[string]string{"/a": "/a", "/b": "404"},
		},
		"methods last": {
			[]router.Route{path("/a/{x}"), path("GET /a/{x}"), path("PUT /a/b"), path("/a/{n:int}")},
			map[string]string{
				"GET /a/b": "GET /a/{x} x=b", "PUT /a/b": "PUT /a/b", "POST /a/b": "/a/{x} x=b", "GET /a/1": "/a/{n:int} n=1",
			},
		},
		"trees before regular expressions": {
			[]router.Route{path("/{x}"), router.Regexp(`^a`, app("re"))},
			map[string]string{"/a": "/{x} x=a", "/a/b": "re"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want(t, routerOf(t, c.routes...), c.want)
			slices.Reverse(c.routes)
			want(t, routerOf(t, c.routes...), c.want)
		})
	}
}

func TestOwnConvertersAreTriedInTheOrderGiven(t *testing.T) {
	t.Parallel()
	both := router.Convert(year, even)
	r := routerOf(t, router.Path("/{x:even}", app("even"), both), router.Path("/{x:year}", app("year"), both), router.Path("/{x:int}", app("int")))
	want(t, r, map[string]string{"/2026": "year x=2026", "/42": "even x=42", "/43": "int x=43"})
}

func TestRegexpsAreTriedInTheOrderGiven(t *testing.T) {
	t.Parallel()
	r := routerOf(t,
		router.Regexp(`^front(end)/$`, app("front")),
		router.MountRegexp(`^a`, noRoute),
		router.Regexp(`a/(?P<x>.)?`, app("first")),
		router.Regexp(`^a/b`, app("second")),
		router.MountRegexp(`^m/(?P<x>[^/]+)`, app("mount")),
	)
	want(t, r, map[string]string{
		"/frontend/": "front =end", "/frontend": "404", "/x/frontend/": "404",
		"/a/b": "first x=b", "/a/": "first", "/xa/": "first", "/a": "404",
		"/m/1": "mount /m/1| x=1", "/m/1/2": "mount /m/1|/2 x=1", "/m/": "404",
	})
}

// A mounted expression whose match ends inside of a segment would leave a path
// without a slash at its start.
func TestMountRegexpEndsAtASlash(t *testing.T) {
	t.Parallel()
	r := routerOf(t, router.MountRegexp(`^fo+`, app("mount")), router.MountRegexp(`^é/`, app("accent")), router.MountRegexp(`^$`, app("empty")))
	want(t, r, map[string]string{
		"/foo/x": "mount /foo|/x", "/foobar": "404", "/foo": "mount /foo|",
		"/%C3%A9/x%20y": "accent /%C3%A9|/x%20y",
		"/%C3%A9%2Fx":   "404", // an escaped slash ends no segment
		"/":             "empty",
	})
}

func TestHosts(t *testing.T) {
	t.Parallel()
	r := routerOf(t,
		router.Path("Example.com/{x}", app("host")),
		router.Mount("api.example.com/", routerOf(t, router.Path("/v1", app("api")))),
		router.Path("/b", app("any b")), router.Path("/v1/{x}", app("any v1")),
	)
	for _, c := range []struct{ host, target, want string }{
		{"example.com", "/a", "host x=a"},
		{"EXAMPLE.com:8000", "/b", "host x=b"},
		{"example.com", "/v1/a", "any v1 x=a"},
		{"api.example.com", "/v1", "api"},
		{"api.example.com", "/v1/a", "any v1 x=a"},
		{"other.example", "/a", "404"},
		{"other.example", "/b", "any b"},
		{"", "/b", "any b"},
		{"[::1]", "/b", "any b"},
		{"[::1]:8000", "/b", "any b"},
	} {
		req := get(c.target)
		var err error
		if req.Headers, err = protocol.NewHeaders(protocol.Fields{{Name: "Host", Value: c.host}}); err != nil {
			t.Fatal(err)
		}
		if got := open(t, r, req); got != c.want {
			t.Errorf("%s%s leads to %q, want %q", c.host, c.target, got, c.want)
		}
	}
}

func TestPercentEncoding(t *testing.T) {
	t.Parallel()
	r := routerOf(t,
		router.Path("/files/{name}", app("file")),
		router.Path("/files/{name}/{rest...}", app("rest")),
		router.Path("/caf%C3%A9/a%2Fb/%7Bx%7D", app("literal")),
		router.Path("/ä", app("unescaped")),
		router.Mount("/m/{x}", app("mount")),
	)
	want(t, r, map[string]string{
		"/files/a%2Fb":            "file name=a/b",
		"/files/a%252Fb":          "file name=a%2Fb", // decoded once
		"/files/%E2%82%AC%20+":    "file name=€ +",
		"/%66iles/x":              "file name=x",
		"/files/a%2Fb/c%20d/e%2F": "rest name=a/b rest=c d/e/",
		"/files%2Fx":              "404",
		"/caf%c3%a9/a%2fb/%7bx}":  "literal",
		"/caf%C3%A9/a/b/{x}":      "404",
		"/%C3%A4":                 "unescaped",
		"/m/a%2Fb/c%2Fd":          "mount /m/a%2Fb|/c%2Fd x=a/b",
		"//files/x":               "404",
		"/files//":                "404",
	})
}

func TestDotSegmentsReachNoRoute(t *testing.T) {
	t.Parallel()
	r := routerOf(t, router.Path("/{rest...}", app("all")))
	want(t, r, map[string]string{
		"/a/../b": "400", "/a/%2e%2E/b": "400", "/a/./b": "400", "/a%00": "400", "/a%2F..%2Fb": "400", "/a..b": "all rest=a..b",
	})
}

func TestWildcardsTakeNoEmptySegment(t *testing.T) {
	t.Parallel()
	r := routerOf(t, router.Path("/a/{x}", app("1")), router.Path("/b/{x}/c", app("2")), router.Path("/c/{$}", app("3")))
	want(t, r, map[string]string{"/a/": "404", "/b//c": "404", "/c/": "3", "/c": "404", "/c/{$}": "404"})
}
