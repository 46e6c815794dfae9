package server_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/protocol/chat"
	"github.com/portico-go/portico/server"
)

// magic is the chat protocol behind four bytes.
type magic struct {
	*chat.Protocol
	name, prefix string
}

func (m magic) Name() string { return m.name }

func (m magic) Detect(prefix []byte) protocol.Verdict {
	n := min(len(prefix), len(m.prefix))
	switch {
	case string(prefix[:n]) != m.prefix[:n]:
		return protocol.No
	case n < len(m.prefix):
		return protocol.More
	}
	return protocol.Yes
}

func (m magic) New(limits protocol.Limits) (protocol.Handshake, protocol.Codec) {
	h, c := m.Protocol.New(limits)
	return &magicHandshake{h, m.prefix}, c
}

type magicHandshake struct {
	protocol.Handshake
	prefix string
}

func (h *magicHandshake) Decode(in []byte) (*protocol.Request, int, error) {
	rest := bytes.TrimPrefix(in, []byte(h.prefix))
	req, n, err := h.Handshake.Decode(rest)
	if n > 0 {
		n += len(in) - len(rest)
		h.prefix = ""
	}
	return req, n, err
}

// What a connection speaks does not depend on how its bytes come, and the protocol
// that is listed first is asked first.
func TestDetection(t *testing.T) {
	t.Parallel()
	lines, err := chat.New(chat.Config{})
	if err != nil {
		t.Fatal(err)
	}
	addr := start(t, whoami, server.Config{Protocols: []protocol.Protocol{
		magic{lines, "magic", "GETAWAY:"}, magic{lines, "shadowed", "GETAWAY:/"}, lines,
	}})
	cases := map[string]struct{ send, want string }{
		"magic": {"GETAWAY:/join /\n/quit\n", "/ok\n"},
		"chat":  {"/join /\n/quit\n", "/ok\n"},
		"http":  {"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "HTTP/1.1 200 "},
		"none":  {"\x00\x00", ""},
	}
	for name, c := range cases {
		for _, size := range []int{1, 5, 1000} {
			t.Run(fmt.Sprintf("%s by %d", name, size), func(t *testing.T) {
				t.Parallel()
				conn := dial(t, addr)
				if err := conn.(*net.TCPConn).SetNoDelay(true); err != nil {
					t.Fatal(err)
				}
				go func() {
					for rest := []byte(c.send); len(rest) > 0; rest = rest[min(size, len(rest)):] {
						_, _ = conn.Write(rest[:min(size, len(rest))])
					}
				}()
				got, err := io.ReadAll(conn)
				if c.want == "" && len(got) == 0 {
					return // closed, perhaps with a byte unread
				}
				if err != nil || !strings.HasPrefix(string(got), c.want) || c.want == "" {
					t.Fatalf("got %q, %v; want %q", got, err, c.want)
				}
			})
		}
	}
}

func TestNamesOfProtocols(t *testing.T) {
	t.Parallel()
	lines, err := chat.New(chat.Config{})
	if err != nil {
		t.Fatal(err)
	}
	cfg := server.Config{Protocols: []protocol.Protocol{lines, lines, magic{lines, "", "x"}, magic{lines, "http", "y"}}}
	err = server.New(all, cfg).ListenAndServe(t.Context(), "127.0.0.1:0")
	for _, want := range []string{`a second "chat"`, "without a name", `a second "http"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in %v", want, err)
		}
	}
}
