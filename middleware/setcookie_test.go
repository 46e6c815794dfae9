package middleware_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/portico-go/portico/middleware"
	"github.com/portico-go/portico/protocol"
)

// cookieWire is a Transport that remembers the head of the answer.
type cookieWire struct{ head protocol.Head }

func (w *cookieWire) Send(ev protocol.Event) error {
	switch ev := ev.(type) {
	case *protocol.Reject:
		w.head = protocol.Head{Status: ev.StatusOrDefault(), Header: ev.Header}
	case protocol.Answer:
		w.head = *ev.Answer()
	}
	return nil
}
func (*cookieWire) Flush() error              { return nil }
func (*cookieWire) Post(protocol.Event) error { return protocol.ErrClosed }

// cookieAnswer answers an HTTP request.
type cookieAnswer struct{ head protocol.Head }

func (*cookieAnswer) EventType() string        { return "http.response" }
func (*cookieAnswer) Step() protocol.Step      { return protocol.StepAnswer }
func (a *cookieAnswer) Answer() *protocol.Head { return &a.head }

// setCookies opens a connection, lets set work on its scope, answers with ev, and
// returns the answer's Set-Cookie fields.
func setCookies(t *testing.T, ev protocol.Event, set func(*protocol.Scope) error) ([]string, error) {
	t.Helper()
	w := &cookieWire{}
	l, err := protocol.NewLifecycle(t.Context(), &protocol.Request{Protocol: "http", Method: "GET", Target: "/"}, w, &protocol.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.End(nil)
	app := middleware.Cookie()(protocol.ApplicationFunc(func(_ context.Context, scope *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
		return protocol.HandlerFunc(func(_ context.Context, e protocol.Event) error {
			if _, ok := e.(*protocol.Connect); !ok {
				return nil
			}
			return errors.Join(set(scope), conn.Send(ev))
		}), nil
	}))
	if err := l.Open(app); err != nil {
		t.Fatal(err)
	}
	err = l.Deliver(&protocol.Connect{})
	var lines []string
	for _, f := range w.head.Header {
		if f.Name == "Set-Cookie" {
			lines = append(lines, f.Value)
		}
	}
	return lines, err
}

func TestS1_SetCookieDefaults(t *testing.T) {
	t.Parallel()
	for name, ev := range map[string]protocol.Event{
		"response":  &cookieAnswer{protocol.Head{Status: 200}},
		"websocket": &protocol.Accept{Head: protocol.Head{Status: 101}},
		"refusal":   &protocol.Reject{Status: 404},
	} {
		lines, err := setCookies(t, ev, func(scope *protocol.Scope) error {
			return middleware.SetCookie(scope, http.Cookie{Name: "Testing-Key", Value: "testing-value"})
		})
		if want := "Testing-Key=testing-value; Path=/; SameSite=Lax"; err != nil || len(lines) != 1 || lines[0] != want {
			t.Errorf("%s: Set-Cookie %q (%v), want %q", name, lines, err, want)
		}
	}
}

func TestS3_SameSiteAndTheOtherAttributes(t *testing.T) {
	t.Parallel()
	at := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	for want, cookie := range map[string]http.Cookie{
		"a=b; Path=/; SameSite=Strict":                                    {Name: "a", Value: "b", SameSite: http.SameSiteStrictMode},
		"a=b; Path=/; Secure; SameSite=None":                              {Name: "a", Value: "b", SameSite: http.SameSiteNoneMode, Secure: true},
		"a=b; Path=/; SameSite=Lax":                                       {Name: "a", Value: "b", SameSite: http.SameSiteDefaultMode},
		"a=b; Path=/x; Domain=example.com; SameSite=Lax":                  {Name: "a", Value: "b", Path: "/x", Domain: ".example.com"},
		"a=b; Path=/; Max-Age=60; HttpOnly; SameSite=Lax":                 {Name: "a", Value: "b", MaxAge: 60, HttpOnly: true},
		"a=; Path=/; Expires=Wed, 02 Jan 2030 03:04:05 GMT; SameSite=Lax": {Name: "a", Expires: at},
		"__Host-a=b; Path=/; Secure; SameSite=Lax; Partitioned":           {Name: "__Host-a", Value: "b", Secure: true, Partitioned: true},
	} {
		if got, err := middleware.RenderCookie(cookie); err != nil || got != want {
			t.Errorf("got %q (%v), want %q", got, err, want)
		}
	}
}

func TestS4_CookiesThatCannotBeSet(t *testing.T) {
	t.Parallel()
	for name, cookie := range map[string]http.Cookie{
		"invalid SameSite":         {Name: "a", Value: "b", SameSite: 42},
		"None without Secure":      {Name: "a", Value: "b", SameSite: http.SameSiteNoneMode},
		"Partitioned, not Secure":  {Name: "a", Value: "b", Partitioned: true},
		"no name":                  {Value: "b"},
		"name with a space":        {Name: "a b", Value: "b"},
		"value with a semicolon":   {Name: "a", Value: "secret;b"},
		"value with a line break":  {Name: "a", Value: "secret\r\nSet-Cookie: c=d"},
		"value with a comma":       {Name: "a", Value: "secret,b"},
		"value with a space":       {Name: "a", Value: "secret b"},
		"value with quotes":        {Name: "a", Value: `"secret"`},
		"value that is not ASCII":  {Name: "a", Value: "secrét"},
		"path with a semicolon":    {Name: "a", Value: "b", Path: "/;x"},
		"bad domain":               {Name: "a", Value: "b", Domain: "a;b"},
		"__Secure- without Secure": {Name: "__Secure-a", Value: "b"},
		"__Host- with a path":      {Name: "__Host-a", Value: "b", Secure: true, Path: "/x"},
		"__Host- with a domain":    {Name: "__Host-a", Value: "b", Secure: true, Domain: "example.com"},
	} {
		line, err := middleware.RenderCookie(cookie)
		if err == nil {
			t.Errorf("%s: rendered as %q", name, line)
			continue
		}
		if strings.Contains(err.Error(), "secr") {
			t.Errorf("%s: the error %q shows the value", name, err)
		}
		lines, got := setCookies(t, &cookieAnswer{protocol.Head{Status: 200}}, func(scope *protocol.Scope) error {
			if err := middleware.SetCookie(scope, cookie); err == nil {
				t.Errorf("%s: SetCookie took it", name)
			}
			return nil
		})
		if len(lines) != 0 || got != nil {
			t.Errorf("%s: the answer sets %q (%v)", name, lines, got)
		}
	}
}

func TestDeleteCookie(t *testing.T) {
	t.Parallel()
	lines, err := setCookies(t, &cookieAnswer{protocol.Head{Status: 200}}, func(scope *protocol.Scope) error {
		return middleware.DeleteCookie(scope, "a", "/x", "example.com")
	})
	want := "a=; Path=/x; Domain=example.com; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; SameSite=Lax"
	if err != nil || len(lines) != 1 || lines[0] != want {
		t.Errorf("Set-Cookie %q (%v), want %q", lines, err, want)
	}
}

func TestSetCookieAfterTheHead(t *testing.T) {
	t.Parallel()
	w := &cookieWire{}
	l, err := protocol.NewLifecycle(t.Context(), &protocol.Request{Protocol: "websocket", Method: "GET", Target: "/"}, w, &protocol.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.End(nil)
	err = l.Open(protocol.ApplicationFunc(func(_ context.Context, scope *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
		if err := conn.Accept("", nil); err != nil {
			return nil, err
		}
		return nil, middleware.SetCookie(scope, http.Cookie{Name: "a", Value: "b"})
	}))
	if !errors.Is(err, protocol.ErrHeadersSent) {
		t.Errorf("error %v, want protocol.ErrHeadersSent", err)
	}
}
