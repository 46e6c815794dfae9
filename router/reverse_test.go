package router_test

import (
	"context"
	"strings"
	"testing"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/router"
)

// described is a middleware that can be seen through.
func described(inner protocol.Application) protocol.Application { return see{inner} }

type see struct{ inner protocol.Application }

func (s see) Open(ctx context.Context, scope *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
	return s.inner.Open(ctx, scope, conn)
}

func (s see) Describe() protocol.Description {
	return protocol.Description{Name: "see", Inner: []protocol.Inner{{App: s.inner}}}
}

func blog(t *testing.T) *router.URLRouter {
	t.Helper()
	articles := routerOf(t,
		router.Path("/", app("list"), router.Name("list")),
		router.Path("GET /{year:int}/{slug:slug}", app("article"), router.Name("article")),
		router.Path("/{year:year}/", app("year"), router.Name("year"), router.Convert(year)),
	)
	return routerOf(t,
		router.Path("/", app("home"), router.Name("home")),
		router.Path("/a%20b%2F/{x}/", app("user"), router.Name("odd")),
		router.Path("/files/{path...}", app("files"), router.Name("files")),
		router.Mount("example.com/blogs/{user}", described(articles), router.Name("blog"), router.With(described)),
		router.Mount("/", routerOf(t, router.Path("/about", app("about"), router.Name("about")), router.Path("/x", app("x")))),
		router.Mount("/hidden", plain(articles), router.Name("hidden")),
		router.Regexp("^re$", app("re"), router.Name("re")),
	)
}

func TestReverse(t *testing.T) {
	t.Parallel()
	r := routerOf(t, router.Mount("/v/{v:int}/", blog(t), router.Name("v")), router.Mount("/", articlesOnly(t)))
	for _, c := range []struct {
		name string
		args []any
		want string
	}{
		{"list", nil, "/"},
		{"v:home", []any{1}, "/v/1/"},
		{"v:odd", []any{"1", "ü/%?"}, "/v/1/a%20b%2F/%C3%BC%2F%25%3F/"},
		{"v:files", []any{1, "a/b c/"}, "/v/1/files/a/b%20c/"},
		{"v:files", []any{1, ""}, "/v/1/files/"},
		{"v:blog:list", []any{1, "al"}, "/v/1/blogs/al/"},
		{"v:blog:article", []any{1, "al", 2026, "hello-you"}, "/v/1/blogs/al/2026/hello-you"},
		{"v:blog:year", []any{1, "al", 2026}, "/v/1/blogs/al/2026/"},
		{"v:blog", []any{1, "al"}, "/v/1/blogs/al"},
		{"v:about", []any{1}, "/v/1/about"},
	} {
		if got, err := r.Reverse(c.name, c.args...); got != c.want || err != nil {
			t.Errorf("Reverse(%q, %v) is %q, %v; want %q", c.name, c.args, got, err, c.want)
		}
	}
	for _, c := range []struct {
		name string
		args []any
		says string
	}{
		{"", nil, "router.Name"},
		{"home", nil, "router.Name"},
		{"v:nothing", []any{1}, "router.Name"},
		{"v:hidden:list", []any{1}, "router.Name"}, // the middleware does not say what it hides
		{"v:re", []any{1}, "regular expression"},
		{"v:home", nil, `no arg for the wildcard "v"`},
		{"v:home", []any{1, 2}, "1 args are left over"},
		{"v:home", []any{"x"}, "{v:int}"},
		{"v:odd", []any{1, ""}, "is empty"},
		{"v:odd", []any{1, ".."}, "segment"},
		{"v:files", []any{1, "a/../b"}, "segment"},
		{"v:odd", []any{1, "a\n"}, "control"},
		{"v:blog:year", []any{1, "al", 12026}, "{year:year}"},
	} {
		if got, err := r.Reverse(c.name, c.args...); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("Reverse(%q, %v) is %q, %v; want an error that says %q", c.name, c.args, got, err, c.says)
		}
	}
}

func articlesOnly(t *testing.T) *router.URLRouter {
	t.Helper()
	return routerOf(t, router.Path("/", app("list"), router.Name("list")))
}

func TestRoutesListsAllWays(t *testing.T) {
	t.Parallel()
	r := router.ProtocolTypeRouter{
		"http":    described(blog(t)),
		"channel": router.ChannelNameRouter{"jobs": described(app("jobs"))},
		"chat":    app("chat"),
	}
	const want = `
PROTOCOL  METHOD  HOST         PATTERN                               NAME          MIDDLEWARE     APPLICATION
channel   -       -            jobs                                  -             see            router_test.app
chat      -       -            -                                     -             -              router_test.app
http      -       -            /                                     home          see            router_test.app
http      -       -            /a%20b%2F/{x}/                        odd           see            router_test.app
http      -       -            /files/{path...}                      files         see            router_test.app
http      -       example.com  /blogs/{user}/                        blog:list     see, see, see  router_test.app
http      GET     example.com  /blogs/{user}/{year:int}/{slug:slug}  blog:article  see, see, see  router_test.app
http      -       example.com  /blogs/{user}/{year:year}/            blog:year     see, see, see  router_test.app
http      -       -            /about                                about         see            router_test.app
http      -       -            /x                                    -             see            router_test.app
http      -       -            /hidden                               hidden        see            protocol.ApplicationFunc
http      -       -            ^re$                                  re            see            router_test.app
`
	if got := "\n" + router.Routes(r).String(); got != want {
		t.Errorf("the routes are%s\nwant%s", got, want)
	}
}
