package middleware_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portico-go/portico/middleware"
	"github.com/portico-go/portico/protocol"
)

// corsHeaders returns the fields of an answer that are CORS's, one a line.
func corsHeaders(d *drive) string {
	var lines []string
	for _, f := range d.header() {
		if f.Name == "Vary" || strings.HasPrefix(f.Name, "Access-Control-") {
			lines = append(lines, strings.TrimPrefix(f.Name, "Access-Control-")+": "+f.Value)
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func TestCORS(t *testing.T) {
	t.Parallel()
	one := middleware.CORSConfig{
		Origins: []string{"https://app.example"}, Methods: []string{"PUT"}, Headers: []string{"Content-Type"},
		Expose: []string{"X-Total"}, Credentials: true, MaxAge: time.Hour,
	}
	public := middleware.CORSConfig{Origins: []string{"*"}}
	const preflight = "Access-Control-Request-Method: PUT"
	tests := []struct {
		name    string
		config  middleware.CORSConfig
		proto   string
		headers []string
		status  int
		want    string
	}{
		{"allowed", one, "http", []string{"Origin: https://app.example"}, 200, "Allow-Credentials: true\nAllow-Origin: https://app.example\nExpose-Headers: X-Total\nVary: Origin"},
		{"another origin is handled but not permitted", one, "POST http", []string{"Origin: https://evil.example"}, 200, "Vary: Origin"},
		{"no origin", one, "http", nil, 200, "Vary: Origin"},
		{"a null origin", one, "http", []string{"Origin: null"}, 200, "Vary: Origin"},
		{"two origins", one, "http", []string{"Origin: https://app.example", "Origin: https://app.example"}, 200, "Vary: Origin"},
		{"preflight", one, "OPTIONS http", []string{"Origin: https://app.example", preflight}, 204, "Allow-Credentials: true\nAllow-Headers: Content-Type\nAllow-Methods: GET, HEAD, POST, PUT\nAllow-Origin: https://app.example\nMax-Age: 3600\nVary: Access-Control-Request-Method, Access-Control-Request-Headers\nVary: Origin"},
		{"preflight of another origin", one, "OPTIONS http", []string{"Origin: https://evil.example", preflight}, 204, "Vary: Access-Control-Request-Method, Access-Control-Request-Headers\nVary: Origin"},
		{"OPTIONS that is no preflight", one, "OPTIONS http", []string{"Origin: https://app.example"}, 200, "Allow-Credentials: true\nAllow-Origin: https://app.example\nExpose-Headers: X-Total\nVary: Origin"},
		{"public", public, "http", []string{"Origin: https://whoever.example"}, 200, "Allow-Origin: *"},
		{"public preflight", public, "OPTIONS http", []string{"Origin: null", preflight}, 204, "Allow-Methods: GET, HEAD, POST\nAllow-Origin: *\nVary: Access-Control-Request-Method, Access-Control-Request-Headers"},
		{"nobody", middleware.CORSConfig{}, "http", []string{"Origin: https://app.example"}, 200, "Vary: Origin"},
		{"websockets pass", one, "websocket", []string{"Origin: https://app.example"}, 101, ""},
		{"chat passes", one, "chat", nil, 200, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			mw := middleware.CORS(tt.config)
			wantNoFault(t, mw)
			d := run(t, mw(yes), request(t, tt.proto, tt.headers...))
			if got := corsHeaders(d); d.status() != tt.status || got != tt.want {
				t.Errorf("status %d, want %d\ngot\n%s\nwant\n%s", d.status(), tt.status, got, tt.want)
			}
			if r, ok := d.events()[0].(*protocol.Reject); ok && (r.Body == nil || len(r.Body) > 0) {
				t.Errorf("the preflight is answered with the body %q, want an empty one", r.Body)
			}
		})
	}
}

func TestCORSOnRefusals(t *testing.T) {
	t.Parallel()
	app := middleware.CORS(middleware.CORSConfig{Origins: []string{"app.example"}})(
		protocol.ApplicationFunc(func(context.Context, *protocol.Scope, *protocol.Conn) (protocol.Handler, error) {
			return nil, protocol.Rejectf(401, "who are you?")
		}))
	d := run(t, app, request(t, "http", "Origin: https://app.example"))
	if got := corsHeaders(d); d.status() != 401 || got != "Allow-Origin: https://app.example\nVary: Origin" {
		t.Errorf("status %d with %q: the page cannot read why it was refused", d.status(), got)
	}
}

func TestCORSFaults(t *testing.T) {
	t.Parallel()
	leaky := middleware.CORS(middleware.CORSConfig{Origins: []string{"*"}, Credentials: true})
	wantFault(t, leaky, "CORS", "Credentials")
	if got := corsHeaders(run(t, leaky(yes), request(t, "http", "Origin: https://evil.example"))); got != "Vary: Origin" {
		t.Errorf("a faulty configuration permits %q", got)
	}
	wantFault(t, middleware.CORS(middleware.CORSConfig{Origins: []string{"*.example"}}), "CORS", `"*.example"`)
	wantFault(t, middleware.CORS(middleware.CORSConfig{Methods: []string{"PUT, DELETE"}}), "CORS", "PUT, DELETE")
	wantFault(t, middleware.CORS(middleware.CORSConfig{Headers: []string{"*"}}), "CORS", `"*"`)
}

func ExampleCORS() {
	app := protocol.Chain(
		middleware.CORS(middleware.CORSConfig{Origins: []string{"https://app.example"}, Credentials: true}),
		middleware.SameOrigin(middleware.SameOriginConfig{TrustedOrigins: []string{"https://app.example"}}),
	)(yes)
	fmt.Println(protocol.Check(app))
	// Output: <nil>
}
