//go:build !race

package server_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/portico-go/portico/auth"
	"github.com/portico-go/portico/consumer"
	"github.com/portico-go/portico/middleware/session"
	"github.com/portico-go/portico/router"
	"github.com/portico-go/portico/server"
)

// What a GET costs over a socket, behind the stack and 200 routes: the request with
// its lifecycle and first scope, the string of its target and headers, the stack's
// scope, session with user, and the consumer with its answer; and, of a session, the
// ID of its user.
func TestRequestAllocations(t *testing.T) {
	user := auth.NewMemoryBackend()
	if err := user.Set("alice", passwordHash(t)); err != nil {
		t.Fatal(err)
	}
	greeting := []byte("hello\n")
	hello := consumer.HTTPFunc(func(_ context.Context, x *consumer.Exchange) error {
		return x.Respond(200, "text/plain; charset=utf-8", greeting)
	})
	login := consumer.HTTPFunc(func(ctx context.Context, x *consumer.Exchange) error {
		alice, err := user.Get(ctx, "alice")
		if err == nil {
			err = auth.Login(ctx, x.Scope(), alice)
		}
		if err != nil {
			return err
		}
		return x.NoContent(204)
	})
	routes := []router.Route{router.Path("GET /hello", hello), router.Path("GET /login", login)}
	for i := range 198 {
		routes = append(routes, router.Path(fmt.Sprintf("GET /section%d/items/{id:int}", i), hello))
	}
	stack := auth.Stack(user, session.New(session.NewMemoryStore(), session.Config{}))
	addr := start(t, router.ProtocolTypeRouter{"http": stack(router.MustURLRouter(routes...))}, server.Config{})

	c := dial(t, addr)
	get := func(path, cookie string) *http.Response {
		t.Helper()
		if _, err := io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\n"+cookie+"\r\n"); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		return res
	}
	cookies := get("/login", "").Cookies()
	if len(cookies) != 1 {
		t.Fatalf("%d cookies, want that of the session", len(cookies))
	}
	withSession := "Cookie: sessionid=" + cookies[0].Value + "\r\n"
	answer := make([]byte, 1024)
	for cookie, most := range map[string]float64{"": 5, withSession: 6} {
		if res := get("/hello", cookie); res.StatusCode != 200 {
			t.Fatalf("the answer is %s", res.Status)
		}
		request := []byte("GET /hello HTTP/1.1\r\nHost: localhost\r\n" + cookie + "\r\n")
		allocs := testing.AllocsPerRun(1000, func() {
			if _, err := c.Write(request); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Read(answer); err != nil {
				t.Fatal(err)
			}
		})
		if allocs > most {
			t.Errorf("with %q: %v allocations, at most %v are allowed", cookie, allocs, most)
		}
	}
}

func passwordHash(t *testing.T) string {
	t.Helper()
	hash, err := auth.HashPassword(t.Context(), "wonderland")
	if err != nil {
		t.Fatal(err)
	}
	return hash
}
