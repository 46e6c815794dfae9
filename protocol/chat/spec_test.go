package chat_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/portico-go/portico/protocol"
)

// TestSpecification replays the transcripts of docs/chat-protocol.md.
func TestSpecification(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/chat-protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(page), "```chat\n")[1:]
	if len(blocks) < 8 {
		t.Fatalf("the page has %d transcripts", len(blocks))
	}
	for i, block := range blocks {
		transcript, _, _ := strings.Cut(block, "```")
		t.Run(fmt.Sprint(i+1), func(t *testing.T) {
			t.Parallel()
			r := newRoom(t)
			for line := range strings.Lines(transcript) {
				r.replay(t, strings.TrimSuffix(line, "\n"))
			}
			r.expect(t, "")
		})
	}
}

// A room is a server with one client, driven by hand: what the engine does, with
// the bytes of the client and without its goroutines.
type room struct {
	handshake protocol.Handshake
	codec     protocol.Codec
	life      *protocol.Lifecycle
	in, out   []byte
}

func newRoom(t *testing.T) *room {
	t.Helper()
	r := &room{}
	r.handshake, r.codec = newProtocol(t).New(protocol.Limits{})
	return r
}

// replay does what a line of a transcript says.
func (r *room) replay(t *testing.T, line string) {
	t.Helper()
	if want, ok := strings.CutPrefix(line, "S: "); ok {
		r.expect(t, want+"\n")
		return
	}
	r.expect(t, "") // nothing was sent but what the transcript has
	if sent, ok := strings.CutPrefix(line, "C: "); ok {
		r.receive(t, sent+"\n")
		return
	}
	who, text, _ := strings.Cut(strings.Trim(line, "()"), " says ")
	switch {
	case line == "(the server shuts down)":
		r.life.Terminate(protocol.ErrShutdown)
	case line == "(the server pings)":
		r.send(t, &protocol.Ping{})
	case text != "":
		said, err := strconv.Unquote(text)
		if err != nil {
			t.Fatal(err)
		}
		if who != "the server" {
			said = lines("<"+who+"> ", said)
		}
		r.send(t, &protocol.Message{Data: []byte(said)})
	default:
		t.Fatalf("what does %q mean?", line)
	}
}

// lines repeats a prefix, as an application has to.
func lines(prefix, text string) string {
	return prefix + strings.ReplaceAll(text, "\n", "\n"+prefix)
}

func (r *room) expect(t *testing.T, want string) {
	t.Helper()
	if want == "" && len(r.out) > 0 || !bytes.HasPrefix(r.out, []byte(want)) {
		t.Fatalf("the server sent %q, want %q", r.out, want)
	}
	r.out = r.out[len(want):]
}

func (r *room) send(t *testing.T, ev protocol.Event) {
	t.Helper()
	if err := r.life.Conn().Send(ev); err != nil {
		t.Fatal(err)
	}
}

// receive takes bytes from the client.
func (r *room) receive(t *testing.T, data string) {
	t.Helper()
	r.in = append(r.in, data...)
	if r.life == nil {
		r.shake(t)
	}
	if r.life == nil {
		return
	}
	n, err := r.codec.Decode(r.in, r.deliver)
	r.in = r.in[n:]
	if err != nil {
		r.life.Terminate(err)
	}
}

func (r *room) shake(t *testing.T) {
	t.Helper()
	req, n, err := r.handshake.Decode(r.in)
	r.in = r.in[n:]
	if err != nil {
		reject, _ := protocol.RejectOf(err)
		if err := r.Send(reject); err != nil {
			t.Fatal(err)
		}
	}
	if req == nil {
		return
	}
	r.life, err = protocol.NewLifecycle(t.Context(), req, r, &protocol.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	if r.life.Open(protocol.ApplicationFunc(openRoom)) == nil {
		_ = r.life.Deliver(&protocol.Connect{}) // a refusal is in the output
	}
}

func (r *room) deliver(ev protocol.Event) error {
	switch ev := ev.(type) {
	case *protocol.Close:
		r.life.PeerClosed(ev)
		return nil
	case *protocol.Ping:
		return r.life.Conn().Send(&protocol.Pong{Data: ev.Data})
	}
	return r.life.Deliver(ev)
}

// Send implements protocol.Transport.
func (r *room) Send(ev protocol.Event) (err error) {
	r.out, err = r.codec.Append(r.out, ev)
	return err
}

// Flush implements protocol.Transport.
func (*room) Flush() error { return nil }

// Post implements protocol.Transport.
func (*room) Post(protocol.Event) error { return errors.ErrUnsupported }

// openRoom is the application of the transcripts.
func openRoom(_ context.Context, scope *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
	if !strings.HasPrefix(scope.Path(), "/rooms/") {
		return nil, protocol.NoRoute()
	}
	nick := scope.Header("Nick")
	if scope.Header("Pass") != "wonderland" {
		return nil, protocol.Rejectf(401, "wrong credentials")
	}
	return protocol.HandlerFunc(func(_ context.Context, ev protocol.Event) error {
		switch ev := ev.(type) {
		case *protocol.Connect:
			return conn.Accept("", nil)
		case *protocol.Message:
			return conn.SendText(lines("<"+nick+"> ", string(ev.Data)))
		}
		return nil
	}), nil
}
