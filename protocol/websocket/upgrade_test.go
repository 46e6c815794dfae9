package websocket_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/protocol/websocket"
)

// A connection keeps what was said to the application, in one piece with its target.
func TestUpgradeDropsTheHandshakesFields(t *testing.T) {
	t.Parallel()
	req := request(t, "keep-alive: timeout=5", "Content-Length: 0", "SEC-WEBSOCKET-PROTOCOL: a, b", "Cookie: a=1; b=2", "Sec-WebSocketX: no", "Connections: 1")
	target, host := req.Target, req.Headers.Get("Host")
	if _, err := websocket.NewUpgrader(websocket.Config{}).Upgrade(req); err != nil {
		t.Fatal(err)
	}
	var names []string
	for name, value := range req.Headers.All() {
		names = append(names, strings.ToLower(name))
		if value == "" {
			t.Errorf("%s has lost its value", name)
		}
	}
	slices.Sort(names)
	if want := []string{"connections", "cookie", "host", "sec-websocketx"}; !slices.Equal(names, want) {
		t.Errorf("headers %q, want %q", names, want)
	}
	if req.Target != target || req.Headers.Get("Host") != host || req.Headers.Get("Cookie") != "a=1; b=2" || !slices.Equal(req.Subprotocols, []string{"a", "b"}) {
		t.Errorf("%+v", req)
	}
}

func TestUpgrade(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		edits []string
		want  string // "" is success, else the beginning of "STATUS reason"
	}{
		{"a good one", nil, ""},
		{"tokens in any case, among others", []string{"Upgrade: h2c, WebSocket", "Connection: keep-alive, UPGRADE"}, ""},
		{"tokens in several fields", []string{"Connection: keep-alive", "+connection: upgrade"}, ""},
		{"an empty body", []string{"Content-Length: 0"}, ""},
		{"an extension is not negotiated", []string{"Sec-WebSocket-Extensions: permessage-deflate"}, ""},

		{"no Host", []string{"-Host"}, "400"},
		{"an empty Host", []string{"Host: "}, "400"},
		{"two Hosts", []string{"+Host: evil.example"}, "400"},
		{"no Upgrade", []string{"-Upgrade"}, "426 only WebSocket"},
		{"another Upgrade", []string{"Upgrade: h2c"}, "426 only WebSocket"},
		{"an Upgrade that contains the name", []string{"Upgrade: websocket2"}, "426 only WebSocket"},
		{"no Connection", []string{"-Connection"}, "400"},
		{"another Connection", []string{"Connection: keep-alive"}, "400"},
		{"no version", []string{"-Sec-WebSocket-Version"}, "426 the Sec-WebSocket-Version must be 13"},
		{"an old version", []string{"Sec-WebSocket-Version: 8"}, "426 the Sec-WebSocket-Version must be 13"},
		{"several versions", []string{"Sec-WebSocket-Version: 13, 8"}, "426"},
		{"two versions", []string{"+Sec-WebSocket-Version: 8"}, "426"},
		{"no key", []string{"-Sec-WebSocket-Key"}, "400"},
		{"an empty key", []string{"Sec-WebSocket-Key: "}, "400"},
		{"two keys", []string{"+Sec-WebSocket-Key: " + key}, "400"},
		{"a key of 15 bytes", []string{"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAA"}, "400"},
		{"a key of 17 bytes", []string{"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAA="}, "400"},
		{"a key of 18 bytes", []string{"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAAA"}, "400"},
		{"a key that is not base64", []string{"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j!!=="}, "400"},
		{"a key without padding", []string{"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ"}, "400"},
		{"a body", []string{"Content-Length: 5"}, "400 a WebSocket handshake must have no body"},
		{"a body, with two lengths", []string{"Content-Length: 0", "+Content-Length: 5"}, "400 a WebSocket handshake must have no body"},
		{"a chunked body", []string{"Transfer-Encoding: chunked"}, "400 a WebSocket handshake must have no body"},
		{"a subprotocol that is no token", []string{"Sec-WebSocket-Protocol: a b"}, "400"},
		{"a subprotocol twice", []string{"Sec-WebSocket-Protocol: a, b, a"}, "400"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			req := request(t, test.edits...)
			before := *req
			c, err := websocket.NewUpgrader(websocket.Config{}).Upgrade(req)
			if test.want == "" {
				if err != nil || req.Protocol != websocket.Name || req.Framing != protocol.FramingMessage || req.Scheme != "ws" {
					t.Errorf("Upgrade: %v, %+v", err, req)
				}
				return
			}
			checkRefusal(t, err, test.want)
			if c != nil || !reflect.DeepEqual(*req, before) {
				t.Errorf("the request was changed to %+v", req)
			}
		})
	}
}

func checkRefusal(t *testing.T, err error, want string) {
	t.Helper()
	r, ok := errors.AsType[*protocol.Reject](err)
	if !ok {
		t.Fatalf("got %v, want a *Reject", err)
	}
	if got := strings.TrimPrefix(r.Error(), "protocol: refused with "); !strings.HasPrefix(got, want[:3]) || !strings.Contains(got, want[3:]) {
		t.Errorf("got %q, want %q", got, want)
	}
	header := map[int]string{405: "Allow", 426: "Upgrade"}[r.Status]
	if header != "" && r.Header.Get(header) == "" {
		t.Errorf("a %d without the header %s", r.Status, header)
	}
	if strings.Contains(want, "Version must be") && r.Header.Get("Sec-WebSocket-Version") != "13" {
		t.Errorf("a 426 for a version without the version")
	}
}

func TestUpgradeOfOtherRequests(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		edit func(*protocol.Request)
		want string
	}{
		"POST":     {func(r *protocol.Request) { r.Method = "POST" }, "405"},
		"HEAD":     {func(r *protocol.Request) { r.Method = "HEAD" }, "405"},
		"HTTP/1.0": {func(r *protocol.Request) { r.Version = "1.0" }, "505"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req := request(t)
			test.edit(req)
			_, err := websocket.NewUpgrader(websocket.Config{}).Upgrade(req)
			checkRefusal(t, err, test.want)
		})
	}
}

func TestUpgradeScheme(t *testing.T) {
	t.Parallel()
	for before, after := range map[string]string{"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"} {
		req := request(t)
		req.Scheme = before
		if _, err := websocket.NewUpgrader(websocket.Config{}).Upgrade(req); err != nil || req.Scheme != after {
			t.Errorf("%s became %s, %v; want %s", before, req.Scheme, err, after)
		}
	}
}

func TestUpgradeSubprotocols(t *testing.T) {
	t.Parallel()
	req := request(t, "Sec-WebSocket-Protocol: chat.v2,, chat.v1 ", "+sec-websocket-protocol: json")
	_, err := websocket.NewUpgrader(websocket.Config{}).Upgrade(req)
	if want := []string{"chat.v2", "chat.v1", "json"}; err != nil || !slices.Equal(req.Subprotocols, want) {
		t.Errorf("got %q, %v; want %q", req.Subprotocols, err, want)
	}
}

func TestIsUpgrade(t *testing.T) {
	t.Parallel()
	tests := map[string]bool{"Upgrade: websocket": true, "Upgrade: h2c, WEBSOCKET": true, "Upgrade: h2c": false, "-Upgrade": false}
	for edit, want := range tests {
		if got := websocket.IsUpgrade(request(t, edit).Headers); got != want {
			t.Errorf("%s: IsUpgrade = %v, want %v", edit, got, want)
		}
	}
}
