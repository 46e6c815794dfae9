package router_test

import (
	"fmt"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/router"
)

// The applications of the examples.
var (
	site, chat, article, archive, thumbnails = app("site"), app("chat"), app("article"), app("archive"), app("thumbnails")
)

func ExampleProtocolTypeRouter() {
	root := router.ProtocolTypeRouter{
		"http":      site,
		"websocket": router.MustURLRouter(router.Path("/ws/chat/{room}", chat)),
		"chat":      router.MustURLRouter(router.Path("/rooms/{room}", chat)),
	}
	fmt.Print(router.Routes(root))
	// Output:
	// PROTOCOL   METHOD  HOST  PATTERN          NAME  MIDDLEWARE  APPLICATION
	// chat       -       -     /rooms/{room}    -     -           router_test.app
	// http       -       -     -                -     -           router_test.app
	// websocket  -       -     /ws/chat/{room}  -     -           router_test.app
}

func ExampleChannelNameRouter() {
	root := router.ProtocolTypeRouter{
		"http":    site,
		"channel": router.ChannelNameRouter{"thumbnails": thumbnails},
	}
	fmt.Println(protocol.Check(root))
	// Output: <nil>
}

func ExampleNewURLRouter() {
	_, err := router.NewURLRouter(
		router.Path("/articles/{year:int}", archive),
		router.Path("/articles/{id:int}", article),
	)
	fmt.Println(err)
	// Output: router: the routes "/articles/{year:int}" and "/articles/{id:int}" match the same requests: take one out, or give them different methods, hosts or converters
}

func ExampleMustURLRouter() {
	articles := router.MustURLRouter(
		router.Path("/", archive, router.Name("archive")),
		router.Path("/{year:int}/{slug:slug}", article, router.Name("article")),
	)
	root := router.MustURLRouter(router.Mount("/blog", articles, router.Name("blog")))

	path, err := root.Reverse("blog:article", 2026, "hello-world")
	fmt.Println(path, err)
	// Output: /blog/2026/hello-world <nil>
}

func ExampleConvert() {
	year := &router.Converter{Name: "year", Match: func(segment string) bool { return len(segment) == 4 }}
	root := router.MustURLRouter(
		router.Path("/{y:year}", archive, router.Name("archive"), router.Convert(year)),
		router.Path("/{slug}", article),
	)
	_, err := root.Reverse("archive", 12026)
	fmt.Println(err)
	// Output: router: reversing "archive": the route "/{y:year}": the arg "12026" is not what {y:year} takes
}
