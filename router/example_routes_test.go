package router_test

import (
	"context"
	"fmt"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/router"
)

// lead prints what a path leads to: an application, its captures, or an error.
func lead(root protocol.Application, path string) {
	req := &protocol.Request{Protocol: "http", Method: "GET", Target: path}
	life, err := protocol.NewLifecycle(context.Background(), req, &recorder{}, &protocol.Settings{})
	if err != nil {
		panic(err)
	}
	defer life.End(nil)
	err = life.Open(protocol.ApplicationFunc(func(ctx context.Context, scope *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
		found, err := root.Open(ctx, scope, conn)
		if err == nil {
			fmt.Println(path, "→", found)
		}
		return found, err
	}))
	if err != nil {
		fmt.Println(path, "→", err)
	}
}

// The most specific route wins, in whatever order they are given.
func ExamplePath() {
	root := router.MustURLRouter(
		router.Path("/articles/{slug}", article),
		router.Path("/articles/{year:int}", archive),
		router.Path("/articles/latest", app("latest")),
	)
	lead(root, "/articles/latest")
	lead(root, "/articles/2026")
	lead(root, "/articles/hello")
	lead(root, "/articles/hello/there")
	// Output:
	// /articles/latest → latest
	// /articles/2026 → archive year=2026
	// /articles/hello → article slug=hello
	// /articles/hello/there → protocol: refused with 404 Not Found
}

// A mounted router that has no route is passed over.
func ExampleMount() {
	blog := router.MustURLRouter(router.Path("/{slug:slug}", article))
	root := router.MustURLRouter(
		router.Mount("/{user}/blog", blog),
		router.Path("/{user}/{rest...}", archive),
	)
	lead(root, "/alice/blog/hello")
	lead(root, "/alice/blog/hello/there")
	// Output:
	// /alice/blog/hello → article /alice/blog|/hello user=alice slug=hello
	// /alice/blog/hello/there → archive user=alice rest=blog/hello/there
}

func ExampleRegexp() {
	root := router.MustURLRouter(
		router.Regexp(`^front(end)/$`, site),
		router.Regexp(`^(?P<year>\d{4})-(?P<month>\d{2})$`, archive),
	)
	lead(root, "/frontend/")
	lead(root, "/2026-11")
	// Output:
	// /frontend/ → site =end
	// /2026-11 → archive year=2026 month=11
}

func ExampleMountRegexp() {
	root := router.MustURLRouter(router.MountRegexp(`^v(?P<version>[12])`, router.MustURLRouter(
		router.Path("/articles", archive),
	)))
	lead(root, "/v2/articles")
	lead(root, "/v3/articles")
	// Output:
	// /v2/articles → archive /v2|/articles version=2
	// /v3/articles → protocol: refused with 404 Not Found
}

func ExampleDefault() {
	root := router.MustURLRouter(
		router.Path("/{lang}/about", site),
		router.Path("/about", site, router.Default("lang", "en")),
	)
	lead(root, "/de/about")
	lead(root, "/about")
	// Output:
	// /de/about → site lang=de
	// /about → site lang=en
}

// Middleware of one route runs only when that route was chosen.
func ExampleWith() {
	locked := func(protocol.Application) protocol.Application {
		return protocol.ApplicationFunc(func(context.Context, *protocol.Scope, *protocol.Conn) (protocol.Handler, error) {
			return nil, protocol.Rejectf(403, "staff only")
		})
	}
	root := router.MustURLRouter(
		router.Path("/admin", site, router.With(locked)),
		router.Path("/", site),
	)
	lead(root, "/")
	lead(root, "/admin")
	// Output:
	// / → site
	// /admin → protocol: refused with 403 staff only
}

func ExampleInt() {
	double := protocol.ApplicationFunc(func(_ context.Context, scope *protocol.Scope, _ *protocol.Conn) (protocol.Handler, error) {
		n, err := router.Int(scope, "n")
		if err != nil {
			return nil, err
		}
		return nil, protocol.Rejectf(422, "twice that is %d", 2*n)
	})
	lead(router.MustURLRouter(router.Path("/double/{n:int}", double)), "/double/21")
	// Output: /double/21 → protocol: refused with 422 twice that is 42
}

// Routes is what a page for the people who run the server can show.
func ExampleRoutes() {
	root := router.MustURLRouter(
		router.Path("GET /articles/{id:int}", article, router.Name("article")),
		router.Mount("/files", router.MustURLRouter(router.Path("/{path...}", site)), router.Name("files")),
	)
	for _, r := range router.Routes(root) {
		fmt.Println(r.Method, r.Pattern, r.Name)
	}
	// Output:
	// GET /articles/{id:int} article
	//  /files/{path...}
}
