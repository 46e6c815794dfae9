package middleware_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/portico-go/portico/middleware"
	"github.com/portico-go/portico/protocol"
)

func TestCookieProvidesItsKey(t *testing.T) {
	t.Parallel()
	var have bool
	app := middleware.Cookie()(protocol.ApplicationFunc(func(_ context.Context, scope *protocol.Scope, _ *protocol.Conn) (protocol.Handler, error) {
		_, have = middleware.CookiesKey.From(scope)
		return nil, protocol.NoRoute()
	}))
	scope, err := protocol.NewScope(&protocol.Request{Protocol: "chat"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := app.Open(t.Context(), scope, nil); !protocol.IsNoRoute(err) || !have {
		t.Errorf("key in the scope is %t, error %v", have, err)
	}
	if d := app.(protocol.Described).Describe(); d.Name != "cookie" || len(d.Provides) != 1 || d.Provides[0] != protocol.AnyKey(middleware.CookiesKey) {
		t.Errorf("description %+v", d)
	}
}

func ExampleCookie() {
	app := middleware.Cookie()(protocol.ApplicationFunc(func(_ context.Context, scope *protocol.Scope, _ *protocol.Conn) (protocol.Handler, error) {
		theme, ok := scope.Cookie("theme")
		fmt.Println(theme, ok)
		return nil, protocol.NoRoute()
	}))
	headers, _ := protocol.ParseHeaders("Cookie: lang=en; theme=dark\r\n")
	scope, _ := protocol.NewScope(&protocol.Request{Protocol: "websocket", Headers: headers})
	_, _ = app.Open(context.Background(), scope, nil)
	// Output: dark true
}

func ExampleRenderCookie() {
	line, err := middleware.RenderCookie(http.Cookie{Name: "theme", Value: "dark", MaxAge: 3600})
	fmt.Println(line, err)
	// Output: theme=dark; Path=/; Max-Age=3600; SameSite=Lax <nil>
}
