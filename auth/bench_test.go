package auth_test

import (
	"context"
	"testing"

	"github.com/portico-go/portico/auth"
	"github.com/portico-go/portico/middleware"
	"github.com/portico-go/portico/middleware/session"
	"github.com/portico-go/portico/protocol"
)

// idle is an application and handler that does nothing.
type idle struct{}

func (idle) Open(context.Context, *protocol.Scope, *protocol.Conn) (protocol.Handler, error) {
	return idle{}, nil
}
func (idle) Handle(context.Context, protocol.Event) error { return nil }

// A load is a request through middleware, over and over.
type load struct {
	app  protocol.Application
	req  *protocol.Request
	wire recorder
	set  protocol.Settings
}

func (l *load) run(tb testing.TB) {
	life, err := protocol.NewLifecycle(context.Background(), l.req, &l.wire, &l.set)
	if err != nil {
		tb.Fatal(err)
	}
	if err := life.Open(l.app); err != nil {
		tb.Fatal(err)
	}
	if err := life.Deliver(&protocol.Connect{}); err != nil {
		tb.Fatal(err)
	}
	life.End(nil)
}

// loads returns the requests whose cost matters, and the bare one to compare with.
func loads(tb testing.TB) map[string]*load {
	tb.Helper()
	b := users(tb)
	s := session.New(session.NewMemoryStore(), session.Config{})
	signed := session.NewSigned([][]byte{make([]byte, 32)}, session.Config{})
	cookie := func(s *session.Sessions) string {
		w := &recorder{}
		app := auth.Stack(b, s)(protocol.ApplicationFunc(func(ctx context.Context, scope *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
			u, err := b.Get(ctx, "alice")
			if err == nil {
				err = auth.Login(ctx, scope, u)
			}
			if err == nil {
				err = answer(conn)
			}
			return idle{}, err
		}))
		life, err := protocol.NewLifecycle(context.Background(), request("http"), w, &protocol.Settings{})
		if err == nil {
			err = life.Open(app)
		}
		if err != nil {
			tb.Fatal(err)
		}
		return (&client{wire: w}).cookie()
	}
	apart := protocol.Chain(middleware.Cookie(), s.Middleware(), auth.Middleware(b))
	onlySession := protocol.Chain(middleware.Cookie(), s.Middleware())
	browser := []string{"Host", "localhost", "User-Agent", "Mozilla/5.0 (X11; Linux x86_64)", "Accept", "*/*"}
	req := func(more ...string) *protocol.Request { return request("http", append(browser, more...)...) }
	return map[string]*load{
		"bare":            {app: idle{}, req: req()},
		"no cookie":       {app: auth.Stack(b, s)(idle{}), req: req()},
		"no cookie apart": {app: apart(idle{}), req: req()},
		"another cookie":  {app: auth.Stack(b, s)(idle{}), req: req("Cookie", "theme=dark; lang=en")},
		"untouched":       {app: onlySession(idle{}), req: req("Cookie", cookie(s))},
		"cookie":          {app: auth.Stack(b, s)(idle{}), req: req("Cookie", "theme=dark; "+cookie(s))},
		"signed cookie":   {app: auth.Stack(b, signed)(idle{}), req: req("Cookie", "theme=dark; "+cookie(signed))},
	}
}

func BenchmarkStack(b *testing.B) {
	for name, l := range loads(b) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				l.run(b)
			}
		})
	}
}
