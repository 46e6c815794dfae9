package router_test

import (
	"testing"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/router"
)

func TestR1_ProtocolTypeRouterDispatchesOnTheProtocol(t *testing.T) {
	t.Parallel()
	r := router.ProtocolTypeRouter{"websocket": app("ws"), "http": app("http")}
	for _, name := range []string{"websocket", "http"} {
		want := map[string]string{"websocket": "ws", "http": "http"}[name]
		if got := open(t, r, &protocol.Request{Protocol: name, Target: "/"}); got != want {
			t.Errorf("protocol %q leads to %q, want %q", name, got, want)
		}
	}
}

func TestR2_UnknownProtocolIsRefusedByName(t *testing.T) {
	t.Parallel()
	r := router.ProtocolTypeRouter{"websocket": app("ws"), "http": app("http"), "nil": nil}
	for _, name := range []string{"email", "nil"} {
		_, err := try(t, r, &protocol.Request{Protocol: name})
		wantReject(t, err, 404, name)
	}
}

func TestR3_ScopeWithoutProtocolIsRefused(t *testing.T) {
	t.Parallel()
	_, err := try(t, router.ProtocolTypeRouter{"http": app("http")}, &protocol.Request{})
	wantReject(t, err, 404, `""`)
}

func TestR4_ChannelNameRouterDispatchesOnTheChannel(t *testing.T) {
	t.Parallel()
	r := router.ChannelNameRouter{"test": app("1"), "other_test": app("2")}
	for channel, want := range map[string]string{"test": "1", "other_test": "2"} {
		if got := open(t, r, &protocol.Request{Protocol: "channel", Channel: channel}); got != want {
			t.Errorf("channel %q leads to %q, want %q", channel, got, want)
		}
	}
	for _, channel := range []string{"no_such_channel", ""} {
		_, err := try(t, r, &protocol.Request{Protocol: "channel", Channel: channel})
		wantReject(t, err, 404, `"`+channel+`"`)
	}
}

func TestR5_PathsAndUnanchoredRegexps(t *testing.T) {
	t.Parallel()
	r := routerOf(t,
		router.Path("/", app("1")),
		router.Path("/foo/", app("2")),
		router.Regexp(`bar`, app("3")),
	)
	want(t, r, map[string]string{
		"/": "1", "/foo/": "2", "/bar/": "3", "/bar/baz/": "3", "/baz/bar": "3",
		"/foo": "404", "/foo/x": "404", "/baz/": "404",
	})
}

func TestR6_UnnamedGroups(t *testing.T) {
	t.Parallel()
	r := routerOf(t,
		router.Regexp(`^test/(\d+)/$`, app("one")),
		router.Regexp(`^mixed/(\d+)/(?P<name>\w+)/$`, app("mixed")),
	)
	want(t, r, map[string]string{
		"/test/123/":    "one =123",
		"/mixed/1/two/": "mixed name=two", // as in Django: the unnamed are dropped
	})
}

func TestR7_NamedGroupsAndStringWildcards(t *testing.T) {
	t.Parallel()
	r := routerOf(t,
		router.Path("/named/{name:str}/", app("path")),
		router.Regexp(`^re/(?P<name>\w+)/$`, app("re")),
	)
	want(t, r, map[string]string{"/named/x/": "path name=x", "/re/x/": "re name=x"})
}

func TestR8_DefaultsAreMergedAndOverride(t *testing.T) {
	t.Parallel()
	r := routerOf(t,
		router.Path("/a/{name}", app("1"), router.Default("default", "42")),
		router.Path("/b/{name}", app("2"), router.Default("name", "own")),
		router.Path("/c", app("3"), router.Default("x", "1"), router.Default("y", "2")),
		router.Regexp(`^d/(?P<name>\w+)$`, app("4"), router.Default("name", "own")),
	)
	want(t, r, map[string]string{
		"/a/x": "1 name=x default=42", "/b/x": "2 name=own", "/c": "3 x=1 y=2", "/d/x": "4 name=own",
	})
}

func TestR9_RootPathIsLeftOut(t *testing.T) {
	t.Parallel()
	r := routerOf(t, router.Path("/foo/", app("foo")))
	req := get("/root/foo/")
	req.RootPath = "/root"
	if got, want := open(t, r, req), "foo /root|/foo/"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestR10_PathOutsideOfTheRootPath(t *testing.T) {
	t.Parallel()
	r := routerOf(t, router.Path("/{rest...}", app("all")))
	for _, target := range []string{"/foo/", "/rooted/foo/"} {
		req := get(target)
		req.RootPath = "/root"
		_, err := try(t, r, req)
		wantReject(t, err, 404, "not found")
	}
}

func TestR11_NoMatchIsARefusalThatOuterRoutersKnow(t *testing.T) {
	t.Parallel()
	_, err := try(t, routerOf(t, router.Path("/foo/", app("foo"))), get("/bar/"))
	wantReject(t, err, 404, "Not Found")
	if !protocol.IsNoRoute(err) {
		t.Error("IsNoRoute is false")
	}
}

func TestR12_NestedRegexpRouters(t *testing.T) {
	t.Parallel()
	page := routerOf(t, router.Regexp(`^page/(?P<page>\d+)/$`, app("page")))
	book := routerOf(t, router.MountRegexp(`^book/(?P<book>[\w\-]+)`, page), router.Regexp(`^test/(\d+)/$`, app("test")))
	r := routerOf(t, router.MountRegexp(`^universe/(?P<universe>\d+)/author/(?P<author>\w+)/`, plain(book)))
	want(t, r, map[string]string{
		"/universe/42/author/andrew/book/channels-guide/page/10/": "page /universe/42/author/andrew/book/channels-guide|/page/10/ universe=42 author=andrew book=channels-guide page=10",
		"/universe/42/author/andrew/test/7/":                      "test /universe/42/author/andrew|/test/7/ universe=42 author=andrew =7",
		"/universe/42/author/andrew/":                             "404",
	})
}

func TestR13_NestedUnnamedGroups(t *testing.T) {
	t.Parallel()
	inner := routerOf(t, router.Regexp(`^book/(\d+)/$`, app("book")))
	r := routerOf(t, router.MountRegexp(`^parent/(\w+)/`, inner))
	want(t, r, map[string]string{"/parent/foo/book/3/": "book /parent/foo|/book/3/ =foo =3"})
}

func TestR14_NestedPathsThroughMiddleware(t *testing.T) {
	t.Parallel()
	inner := routerOf(t, router.Path("/", app("list")), router.Path("/page/{page:int}", app("page")))
	r := routerOf(t, router.Mount("/number/{number:int}/", plain(inner)))
	want(t, r, map[string]string{
		"/number/42/page/3":   "page /number/42|/page/3 number=42 page=3",
		"/number/42/":         "list /number/42|/ number=42",
		"/number/42":          "list /number/42| number=42",
		"/number/42/page/3/x": "404",
		"/number/42/other":    "404",
		"/number/x/page/3":    "404",
	})
	want(t, inner, map[string]string{"/page/3": "page page=3", "/": "list"})

	o, err := try(t, r, get("/number/42/page/3"))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{"number": 42, "page": 3} {
		if got, err := router.Int(o.scope, name); got != want || err != nil {
			t.Errorf("Int(%q) is %d, %v; want %d", name, got, err, want)
		}
	}
}

func TestR15_StringAndIntWildcards(t *testing.T) {
	t.Parallel()
	r := routerOf(t, router.Path("/{name}/", app("str")), router.Path("/articles/{year:int}/", app("int")))
	want(t, r, map[string]string{
		"/x/": "str name=x", "/articles/2018/": "int year=2018",
		"/articles/": "str name=articles", "/articles/-1/": "404", "/articles/99999999999999999999/": "404",
	})
}

func TestR16_InnerMissGoesOnWithTheOuterRouter(t *testing.T) {
	t.Parallel()
	inner := routerOf(t, router.Path("/", app("inner")))
	want(t, routerOf(t, router.Mount("/prefix/", inner), router.Path("/prefix/stuff/", app("outer"))), map[string]string{
		"/prefix/": "inner /prefix|/", "/prefix/stuff/": "outer", "/prefix/other/": "404",
	})
	want(t, routerOf(t, router.Path("/{rest...}", app("outer")), router.Mount("/prefix/", plain(inner))), map[string]string{
		"/prefix/": "inner /prefix|/", "/prefix/stuff/": "outer rest=prefix/stuff/",
	})
}

func TestR17_InnerMissWithRootPath(t *testing.T) {
	t.Parallel()
	inner := routerOf(t, router.Path("/", app("inner")))
	r := routerOf(t, router.Mount("/prefix", inner), router.Path("/prefix/stuff/", app("outer")))
	for target, want := range map[string]string{
		"/root/prefix/":            "inner /root/prefix|/",
		"/root/prefix/stuff/":      "outer /root|/prefix/stuff/",
		"/root/root/prefix/stuff/": "404",
		"/root/prefix/root/stuff/": "404",
		"/prefix/root/stuff/":      "404",
	} {
		req := get(target)
		req.RootPath = "/root"
		if got := open(t, r, req); got != want {
			t.Errorf("%s leads to %q, want %q", target, got, want)
		}
	}
}

// Routers nest as they are: there is nothing like include() that could be used
// wrongly.
func TestR18_NestedRoutersNeedNoInclude(t *testing.T) {
	t.Parallel()
	inner := routerOf(t, router.Path("/c/{id}", app("c")))
	r := routerOf(t, router.Mount("/a", routerOf(t, router.Mount("/b", inner))), router.Path("/direct/{x...}", inner))
	want(t, r, map[string]string{"/a/b/c/1": "c /a/b|/c/1 id=1", "/a/b/d": "404", "/direct/c/1": "404"})

	root := routerOf(t, router.Mount("/", routerOf(t, router.Path("/", app("root"))), router.Default("x", "1")))
	want(t, routerOf(t, router.Mount("/a", root)), map[string]string{"/a": "root /a| x=1", "/a/": "root /a|/ x=1"})
}
