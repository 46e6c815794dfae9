package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/portico-go/portico/middleware"
	"github.com/portico-go/portico/protocol"
)

// logging returns a config whose lines go to logs.
func logging() (c middleware.AccessLogConfig, logs *observer.ObservedLogs) {
	core, logs := observer.New(zapcore.DebugLevel)
	c.Logger = zap.New(core)
	return c, logs
}

// line returns the only line of logs as "level message key=value …", with the keys
// that are given.
func line(t *testing.T, logs *observer.ObservedLogs, keys ...string) string {
	t.Helper()
	entries := logs.TakeAll()
	if len(entries) != 1 {
		t.Fatalf("%d lines, want 1: %v", len(entries), entries)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", entries[0].Level, entries[0].Message)
	fields := entries[0].ContextMap()
	for _, key := range keys {
		if v, ok := fields[key]; ok {
			fmt.Fprintf(&b, " %s=%v", key, v)
		}
	}
	return b.String()
}

// secrets are headers that no log may have.
var secrets = []string{"Host: a", "Cookie: sessionid=secret", "Authorization: Bearer secret", "Pass: secret"}

func TestAccessLog(t *testing.T) {
	t.Parallel()
	errPlain := protocol.ApplicationFunc(func(context.Context, *protocol.Scope, *protocol.Conn) (protocol.Handler, error) {
		return nil, errTest
	})
	refuse := middleware.AllowedHosts("b")(yes)
	tests := []struct {
		name  string
		proto string
		app   protocol.Application
		end   error
		want  string
	}{
		{"request", "http", yes, nil, "info request protocol=http method=GET path=/room status=200 client=192.0.2.7:4711 duration=3s"},
		{"request that failed", "POST http", errPlain, nil, "warn request protocol=http method=POST path=/room status=500 client=192.0.2.7:4711 duration=0s cause=the test's error"},
		{"request that was refused", "http", refuse, nil, `info request protocol=http method=GET path=/room status=421 client=192.0.2.7:4711 duration=0s cause=middleware: the host "a" is not among those that AllowedHosts was given`},
		{"no route", "http", noRoute, nil, "info request protocol=http method=GET path=/room status=404 client=192.0.2.7:4711 duration=0s"},
		{"websocket", "websocket", yes, &protocol.CloseError{Code: 4001, Reason: "secret", Remote: true}, "info closed protocol=websocket method=GET path=/room status=101 client=192.0.2.7:4711 code=4001 duration=3s"},
		{"websocket, no status", "websocket", yes, &protocol.CloseError{Remote: true}, "info closed protocol=websocket method=GET path=/room status=101 client=192.0.2.7:4711 code=1000 duration=3s"},
		{"websocket that was reset", "websocket", yes, protocol.ErrReset, "info closed protocol=websocket method=GET path=/room status=101 client=192.0.2.7:4711 code=1006 duration=3s cause=protocol: the peer reset the connection"},
		{"websocket that was refused", "websocket", refuse, nil, `info refused protocol=websocket method=GET path=/room status=421 client=192.0.2.7:4711 duration=0s cause=middleware: the host "a" is not among those that AllowedHosts was given`},
		{"websocket that failed", "websocket", yes, errTest, "warn closed protocol=websocket method=GET path=/room status=101 client=192.0.2.7:4711 code=1011 duration=3s cause=the test's error"},
		{"chat", "chat", yes, protocol.ErrShutdown, "info closed protocol=chat path=/room status=200 client=192.0.2.7:4711 code=1001 duration=3s cause=protocol: the server shuts down"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, logs := logging()
				d := newDrive(t, request(t, tt.proto, secrets...))
				if d.Open(middleware.AccessLog(c)(tt.app)) == nil {
					_ = d.Deliver(&protocol.Connect{}) // what came of it is in the log
					time.Sleep(3 * time.Second)
				}
				if logs.Len() != 0 {
					t.Errorf("logged before the end: %v", logs.All())
				}
				d.End(tt.end)
				if all := fmt.Sprint(logs.All()[0].ContextMap()); strings.Contains(all, "secret") {
					t.Errorf("a secret is in the log: %s", all)
				}
				if conn := logs.All()[0].ContextMap()["conn"]; conn != d.Conn().ID() {
					t.Errorf("conn is %v, want %s", conn, d.Conn().ID())
				}
				got := line(t, logs, "protocol", "method", "path", "status", "client", "code", "duration", "cause", "user", "bytes", "request_id", "trace_id")
				if got != tt.want {
					t.Errorf("\ngot  %s\nwant %s", got, tt.want)
				}
			})
		})
	}
}

var noRoute = protocol.ApplicationFunc(func(context.Context, *protocol.Scope, *protocol.Conn) (protocol.Handler, error) {
	return nil, protocol.NoRoute()
})

func TestAccessLogKnowsWhatOthersFound(t *testing.T) {
	t.Parallel()
	user := protocol.NewKey[string]("user")
	c, logs := logging()
	c.User = func(s *protocol.Scope) string { name, _ := user.Recorded(s); return name }
	app := protocol.ApplicationFunc(func(ctx context.Context, scope *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
		scope.Record(user.Of("alice"))
		scope.SetRoute("/{room}")
		_ = scope.OnResponse(func(_ context.Context, head *protocol.Head) error { // it is early enough
			head.Header.Add("Content-Length", "0")
			return nil
		})
		return yes.Open(ctx, scope, conn)
	})
	req := request(t, "http", "X-Request-ID: r-1", "Traceparent: 00-0123456789abcdef0123456789abcdef-0123456789abcdef-01")
	everybody := []string{"0.0.0.0/0"}
	run(t, protocol.Chain(
		middleware.RequestID(middleware.RequestIDConfig{TrustedProxies: everybody}),
		middleware.TraceContext(middleware.TraceContextConfig{TrustedProxies: everybody}),
		middleware.AccessLog(c),
	)(app), req)
	got := line(t, logs, "route", "user", "request_id", "trace_id", "bytes")
	if want := "info request route=/{room} user=alice request_id=r-1 trace_id=0123456789abcdef0123456789abcdef"; got != want {
		t.Errorf("\ngot  %s\nwant %s", got, want)
	}
}

func TestAccessLogBytes(t *testing.T) {
	t.Parallel()
	c, logs := logging()
	run(t, middleware.AccessLog(c)(protocol.ApplicationFunc(func(context.Context, *protocol.Scope, *protocol.Conn) (protocol.Handler, error) {
		return nil, &protocol.Reject{Status: 404, Header: protocol.Fields{{Name: "Content-Length", Value: "12"}}}
	})), request(t, "http"))
	if got := line(t, logs, "bytes"); got != "info request bytes=12" {
		t.Errorf("got %s, want 12 bytes", got)
	}
}

func TestAccessLogOpened(t *testing.T) {
	t.Parallel()
	c, logs := logging()
	c.Opened = true
	app := middleware.AccessLog(c)(yes)
	d := newDrive(t, request(t, "websocket"))
	if err := errors.Join(d.Open(app), d.Deliver(&protocol.Connect{})); err != nil {
		t.Fatal(err)
	}
	if got := line(t, logs, "status"); got != "info opened status=101" {
		t.Errorf("got %s, want that it opened", got)
	}
	d.End(nil)
	if got := line(t, logs, "code"); got != "info closed code=1000" {
		t.Errorf("got %s, want that it closed", got)
	}
	run(t, app, request(t, "http"))
	if got := line(t, logs); got != "info request" {
		t.Errorf("got %s, want one line for a request", got)
	}
}

func TestAccessLogSample(t *testing.T) {
	t.Parallel()
	c, logs := logging()
	c.Sample = 10
	for range 20 {
		run(t, middleware.AccessLog(c)(noRoute), request(t, "http"))
	}
	if n := len(logs.TakeAll()); n != 20 {
		t.Errorf("%d of 20 refusals were written, want all", n)
	}
	app := middleware.AccessLog(c)(yes)
	for range 20 {
		run(t, app, request(t, "http"))
	}
	if n := len(logs.TakeAll()); n != 2 {
		t.Errorf("%d of 20 requests were written, want 2", n)
	}
}

func TestAccessLogLeavesMissesOut(t *testing.T) {
	t.Parallel()
	c, logs := logging()
	miss := middleware.AccessLog(c)(noRoute)
	run(t, protocol.ApplicationFunc(func(ctx context.Context, scope *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
		mark := scope.Mark()
		_, err := miss.Open(ctx, scope, conn)
		scope.Rollback(ctx, mark, err)
		return yes.Open(ctx, scope, conn)
	}), request(t, "http"))
	if logs.Len() != 0 {
		t.Errorf("an abandoned branch was logged: %v", logs.All())
	}
}

func TestAccessLogFaults(t *testing.T) {
	t.Parallel()
	wantFault(t, middleware.AccessLog(middleware.AccessLogConfig{}), "AccessLog", "Logger")
	wantFault(t, middleware.AccessLog(middleware.AccessLogConfig{Logger: zap.NewNop(), Sample: -1}), "AccessLog", "Sample")
	if d := run(t, middleware.AccessLog(middleware.AccessLogConfig{})(yes), request(t, "http")); d.status() != 200 {
		t.Errorf("without a logger: status %d, want 200", d.status())
	}
}

func ExampleAccessLog() {
	app := middleware.AccessLog(middleware.AccessLogConfig{Logger: zap.NewNop(), Sample: 100})(yes)
	fmt.Println(protocol.Check(app))
	// Output: <nil>
}
