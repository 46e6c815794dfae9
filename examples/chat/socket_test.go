package main

import (
	"net/http"
	"testing"
)

func TestRefusedSockets(t *testing.T) {
	t.Parallel()
	addr := serve(t)
	session := logIn(t, addr, "alice", "wonderland").String()
	tests := []struct {
		name, path string
		header     http.Header
		status     int
	}{
		{"anonymous", "/ws/chat/go", nil, 403},
		{"forged session", "/ws/chat/go", http.Header{"Cookie": {"sessionid=alice"}}, 403},
		{"foreign page", "/ws/chat/go", http.Header{"Cookie": {session}, "Origin": {"http://evil.example"}}, 403},
		{"same host, other port", "/ws/chat/go", http.Header{"Cookie": {session}, "Origin": {"http://127.0.0.1:1"}}, 403},
		{"sandboxed page", "/ws/chat/go", http.Header{"Cookie": {session}, "Origin": {"null"}}, 403},
		{"foreign page, anonymous", "/ws/chat/go", http.Header{"Origin": {"http://evil.example"}}, 403},
		{"unknown path", "/ws/nowhere", http.Header{"Cookie": {session}}, 404},
		{"path of the chat", "/rooms/go", http.Header{"Cookie": {session}}, 404},
		{"room without name", "/ws/chat/", http.Header{"Cookie": {session}}, 404},
	}
	for _, tt := range tests {
		_, answer, err := dialSocket(t, addr, tt.path, tt.header)
		if err == nil || answer == nil || answer.StatusCode != tt.status {
			t.Errorf("%s: %v, want status %d before the upgrade", tt.name, err, tt.status)
		}
	}
	ws, _, err := dialSocket(t, addr, "/ws/chat/go", http.Header{"Cookie": {session}, "Origin": {"http://" + addr}})
	if err != nil {
		t.Fatalf("the page's own origin: %v", err)
	}
	tell(t, ws, "hi")
	wantJSON(t, ws, `{"room":"go","from":"alice","via":"websocket","text":"hi"}`)
}
