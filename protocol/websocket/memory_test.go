package websocket_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/url"
	"testing"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/protocol/websocket"
)

// A memoryConn hands what was written to serve when it is read from, and reads
// what that returns.
type memoryConn struct {
	serve func(in []byte) []byte
	in    bytes.Buffer
	out   *bytes.Reader
}

// Write implements io.Writer.
func (c *memoryConn) Write(p []byte) (int, error) { return c.in.Write(p) }

// Read implements io.Reader.
func (c *memoryConn) Read(p []byte) (int, error) {
	if c.out == nil {
		c.out = bytes.NewReader(c.serve(c.in.Bytes()))
	}
	return c.out.Read(p)
}

// answer reads a handshake from the wire and answers it with ev.
func answer(t *testing.T, in []byte, ev protocol.Event) []byte {
	t.Helper()
	return answerAs(t, websocket.Config{}, in, ev)
}

// answerAs is answer with a configuration.
func answerAs(t *testing.T, c websocket.Config, in []byte, ev protocol.Event) []byte {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(in)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		t.Fatal(err)
	}
	fields := protocol.Fields{{Name: "Host", Value: r.Host}}
	for name, values := range r.Header {
		for _, v := range values {
			fields.Add(name, v)
		}
	}
	headers, err := protocol.NewHeaders(fields)
	if err != nil {
		t.Fatal(err)
	}
	codec, err := websocket.NewUpgrader(c).Upgrade(&protocol.Request{Version: "1.1", Method: r.Method, Headers: headers})
	if err != nil {
		t.Fatal(err)
	}
	out, err := codec.Append(nil, ev)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func mustURL(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
