package communicator

import (
	"testing"

	"github.com/portico-go/portico/protocol"
)

// WebSocket returns a communicator for a WebSocket to target, "/path?query".
func WebSocket(t testing.TB, app protocol.Application, target string, options ...Option) *Messages {
	t.Helper()
	req := &protocol.Request{
		Protocol: "websocket",
		Framing:  protocol.FramingMessage,
		Version:  "1.1",
		Method:   "GET",
		Scheme:   "ws",
		Target:   target,
	}
	return &Messages{build(t, app, req, protocol.Fields{{Name: "Host", Value: "127.0.0.1:8000"}}, options)}
}
