package websocket_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/portico-go/portico/protocol"
)

func TestV1_Accept(t *testing.T) {
	t.Parallel()
	got, err := newCodec(t, protocol.Limits{}).Append([]byte("before"), &protocol.Accept{})
	want := "beforeHTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + accept + "\r\n\r\n"
	if err != nil || string(got) != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}

func TestV3_ChosenSubprotocol(t *testing.T) {
	t.Parallel()
	c := newCodec(t, protocol.Limits{}, "Sec-WebSocket-Protocol: proto1, proto2")
	got, err := c.Append(nil, &protocol.Accept{Subprotocol: "proto2"})
	if status, header := response(t, got); err != nil || status != 101 || header.Get("Sec-WebSocket-Protocol") != "proto2" {
		t.Errorf("got %q, %v", got, err)
	}
}

// Headers of the application go with the 101, cookies among them.
func TestAdditionalHeaders(t *testing.T) {
	t.Parallel()
	fields := protocol.Fields{{Name: "Set-Cookie", Value: "sessionid=1; HttpOnly"}, {Name: "Set-Cookie", Value: "b=2"}, {Name: "X-Request-Id", Value: "7"}}
	got, err := newCodec(t, protocol.Limits{}).Append(nil, &protocol.Accept{Head: protocol.Head{Header: fields}})
	_, header := response(t, got)
	if err != nil || !slices.Equal(header["Set-Cookie"], []string{"sessionid=1; HttpOnly", "b=2"}) || header.Get("X-Request-Id") != "7" {
		t.Errorf("got %q, %v", got, err)
	}
}

// A bad Accept appends nothing, and the handshake can still be refused.
func TestAcceptErrors(t *testing.T) {
	t.Parallel()
	header := func(name, value string) *protocol.Accept {
		return &protocol.Accept{Head: protocol.Head{Header: protocol.Fields{{Name: name, Value: value}}}}
	}
	tests := map[string]*protocol.Accept{
		"a subprotocol that was not offered": {Subprotocol: "other"},
		"a subprotocol in another case":      {Subprotocol: "CHAT"},
		"a subprotocol as a header":          header("sec-websocket-protocol", "chat"),
		"another accept":                     header("Sec-WebSocket-Accept", accept),
		"an extension":                       header("Sec-Websocket-Extensions", "permessage-deflate"),
		"Connection":                         header("Connection", "close"),
		"Upgrade":                            header("upgrade", "h2c"),
		"Content-Length":                     header("Content-Length", "0"),
		"Transfer-Encoding":                  header("Transfer-Encoding", "chunked"),
		"a header that splits the response":  header("X-A", "b\r\nSet-Cookie: c=d"),
		"a name that splits the response":    header("X-A: b\r\nX-C", "d"),
	}
	for name, ev := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCodec(t, protocol.Limits{}, "Sec-WebSocket-Protocol: chat")
			got, err := c.Append([]byte("before"), ev)
			if err == nil || !strings.HasPrefix(err.Error(), "websocket: ") || string(got) != "before" {
				t.Errorf("got %q, %v", got, err)
			}
			got, err = c.Append(nil, &protocol.Reject{Status: 500})
			if status, _ := response(t, got); err != nil || status != 500 {
				t.Errorf("afterwards, a refusal is %q, %v", got, err)
			}
		})
	}
}

func TestHandshakeIsAnsweredOnce(t *testing.T) {
	t.Parallel()
	for _, first := range []protocol.Event{&protocol.Accept{}, &protocol.Reject{}} {
		for _, second := range []protocol.Event{&protocol.Accept{}, &protocol.Reject{}} {
			c := newCodec(t, protocol.Limits{})
			if _, err := c.Append(nil, first); err != nil {
				t.Fatal(err)
			}
			if got, err := c.Append(nil, second); err == nil || len(got) > 0 {
				t.Errorf("%s after %s: %q, %v", second.EventType(), first.EventType(), got, err)
			}
		}
	}
}

// A frame before the 101 would be taken for a part of an HTTP response.
func TestNoFrameBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	for _, ev := range []protocol.Event{&protocol.Message{}, &protocol.Close{}, &protocol.Ping{}, &protocol.Pong{}} {
		if got, err := newCodec(t, protocol.Limits{}).Append(nil, ev); err == nil || len(got) > 0 {
			t.Errorf("%s: %q, %v", ev.EventType(), got, err)
		}
	}
}

// A refusal is an HTTP response with status, headers and body.
func TestDenialResponse(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		reject *protocol.Reject
		want   string
	}{
		{
			"V2_RefusedWithoutAnything", &protocol.Reject{},
			"HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\nContent-Length: 10\r\n\r\nForbidden\n",
		},
		{
			"a reason", protocol.Rejectf(401, "log in at %s", "/login"),
			"HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\nContent-Length: 17\r\n\r\nlog in at /login\n",
		},
		{
			"headers and a body of its own",
			&protocol.Reject{Status: 429, Header: protocol.Fields{{Name: "content-type", Value: "application/json"}, {Name: "Retry-After", Value: "5"}}, Body: []byte(`{"wait":5}`)},
			"HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\ncontent-type: application/json\r\nRetry-After: 5\r\nContent-Length: 10\r\n\r\n" + `{"wait":5}`,
		},
		{
			"an empty body", &protocol.Reject{Status: 404, Header: protocol.Fields{{Name: "Content-Type", Value: "text/html"}}, Body: []byte{}},
			"HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\r\n",
		},
		{
			"headers that frame the response are the codec's",
			&protocol.Reject{Status: 400, Header: protocol.Fields{{Name: "Content-Length", Value: "1000"}, {Name: "transfer-encoding", Value: "chunked"}, {Name: "Connection", Value: "keep-alive"}, {Name: "Upgrade", Value: "websocket"}, {Name: "Content-Type", Value: "text/plain"}}, Body: []byte("x")},
			"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nUpgrade: websocket\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n\r\nx",
		},
		{"a status that has no body", &protocol.Reject{Status: 204, Body: []byte("x")}, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"},
		{"a status without a name", &protocol.Reject{Status: 799, Body: []byte("x"), Header: protocol.Fields{{Name: "Content-Type", Value: "a/b"}}}, "HTTP/1.1 799 \r\nConnection: close\r\nContent-Type: a/b\r\nContent-Length: 1\r\n\r\nx"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := newCodec(t, protocol.Limits{}).Append(nil, test.reject)
			if err != nil || string(got) != test.want {
				t.Errorf("got %q, %v\nwant %q", got, err, test.want)
			}
			response(t, got)
		})
	}
}

func TestRejectErrors(t *testing.T) {
	t.Parallel()
	tests := map[string]*protocol.Reject{
		"an interim status":                 {Status: 101},
		"a status of four digits":           {Status: 1000},
		"a header that splits the response": {Header: protocol.Fields{{Name: "Location", Value: "/\r\n\r\n<script>"}}},
	}
	for name, r := range tests {
		if got, err := newCodec(t, protocol.Limits{}).Append(nil, r); err == nil || len(got) > 0 {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// response parses a response as a client would, and checks that it ends where it
// says.
func response(t *testing.T, data []byte) (status int, header http.Header) {
	t.Helper()
	r := bufio.NewReader(bytes.NewReader(data))
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatalf("%q: %v", data, err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil || res.ContentLength > 0 && int64(len(body)) != res.ContentLength {
		t.Fatalf("%q: a body of %d bytes, %v", data, len(body), err)
	}
	if rest, _ := io.ReadAll(r); len(rest) > 0 {
		t.Fatalf("%q: %q follows the response", data, rest)
	}
	if err := res.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header
}

func TestAppendFrames(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("r", 200)
	tests := []struct {
		name string
		ev   protocol.Event
		want string
	}{
		{"text, as RFC 6455, section 5.7 draws it", &protocol.Message{Data: []byte("Hello")}, "\x81\x05Hello"},
		{"V8_TextWithEmoji", &protocol.Message{Data: []byte("🌍")}, "\x81\x04🌍"},
		{"V9_BinaryThatIsNotUTF8", &protocol.Message{Binary: true, Data: []byte("\xe2\x00")}, "\x82\x02\xe2\x00"},
		{"empty", &protocol.Message{}, "\x81\x00"},
		{"125 bytes", &protocol.Message{Data: []byte(long[:125])}, "\x81\x7d" + long[:125]},
		{"126 bytes", &protocol.Message{Data: []byte(long[:126])}, "\x81\x7e\x00\x7e" + long[:126]},
		{"65535 bytes", &protocol.Message{Data: make([]byte, 65535)}, "\x81\x7e\xff\xff" + string(make([]byte, 65535))},
		{"65536 bytes", &protocol.Message{Data: make([]byte, 65536)}, "\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00" + string(make([]byte, 65536))},
		{"ping", &protocol.Ping{Data: []byte("a")}, "\x89\x01a"},
		{"pong", &protocol.Pong{Data: []byte(long[:125])}, "\x8a\x7d" + long[:125]},
		{"close", &protocol.Close{}, "\x88\x02\x03\xe8"},
		{"CloseReason", &protocol.Close{Code: 4001, Reason: "Going Away"}, "\x88\x0c\x0f\xa1Going Away"},
		{"close, the reason cut", &protocol.Close{Code: 1001, Reason: long}, "\x88\x7d\x03\xe9" + long[:123]},
		{"close, the reason cut between characters", &protocol.Close{Code: 1001, Reason: long[:122] + "é"}, "\x88\x7c\x03\xe9" + long[:122]},
		{"close, the reason not UTF-8", &protocol.Close{Code: 1001, Reason: "a\xffb"}, "\x88\x07\x03\xe9a\ufffdb"},
		{"the answer to a close without a code", &protocol.Close{Code: protocol.CloseNoStatus}, "\x88\x00"},
		{"a connection that breaks off", &protocol.Close{Code: protocol.CloseAbnormal}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := open(t, protocol.Limits{}).Append([]byte("before"), test.ev)
			if err != nil || string(got) != "before"+test.want {
				t.Errorf("got %.300q, %v\nwant %.300q", got, err, "before"+test.want)
			}
		})
	}
}

func TestAppendErrors(t *testing.T) {
	t.Parallel()
	tests := map[string]protocol.Event{
		"text that is not UTF-8": &protocol.Message{Data: []byte("\xff")},
		"a ping of 126 bytes":    &protocol.Ping{Data: make([]byte, 126)},
		"a pong of 126 bytes":    &protocol.Pong{Data: make([]byte, 126)},
		"a close code below":     &protocol.Close{Code: 999},
		"a close code above":     &protocol.Close{Code: 5000},
		"a reserved close code":  &protocol.Close{Code: 1015},
		"a code of 17 bits":      &protocol.Close{Code: 1<<16 + 1000},
		"an unknown event":       &protocol.Connect{},
	}
	for name, ev := range tests {
		got, err := open(t, protocol.Limits{}).Append([]byte("before"), ev)
		if err == nil || !strings.HasPrefix(err.Error(), "websocket: ") || string(got) != "before" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}
