package server_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/consumer"
	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/server"
)

// carriers are ways to a server that have code of their own beneath the same
// protocols: a socket that is polled, and one that a goroutine reads.
func carriers(t *testing.T) map[string]func(app protocol.Application) net.Conn {
	t.Helper()
	cert, pool := certificate(t)
	return map[string]func(protocol.Application) net.Conn{
		"TCP": func(app protocol.Application) net.Conn { return dial(t, start(t, app, server.Config{})) },
		"TLS": func(app protocol.Application) net.Conn {
			addr := start(t, app, server.Config{}, func(l *server.Listener) {
				l.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
			})
			return tls.Client(dial(t, addr), &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"})
		},
	}
}

// terms are what a message protocol begins with, and how it writes a message.
var terms = map[string]struct {
	open, answer string
	message      func(string) string
}{
	"websocket": {upgradeRequest("/"), "HTTP/1.1 101 ", text},
	"chat":      {"/join /\n", "/ok\n", func(s string) string { return s + "\n" }},
}

// What is sent arrives within 20 ms, though its handler goes on for long.
func TestSendArrivesWhileTheHandlerBlocks(t *testing.T) {
	for carrier, connect := range carriers(t) {
		for name, term := range terms {
			t.Run(name+" over "+carrier, func(t *testing.T) {
				release := make(chan struct{})
				app := newRecorder()
				app.handle = func(ctx context.Context, conn *protocol.Conn, ev protocol.Event) error {
					switch ev.(type) {
					case *protocol.Connect:
						return conn.Accept("", nil)
					case *protocol.Message:
						if err := conn.SendText("now"); err != nil {
							return err
						}
						select {
						case <-release:
						case <-ctx.Done():
						}
					}
					return nil
				}
				c := connect(app)
				r := bufio.NewReader(c)
				_, _ = io.WriteString(c, term.open) // the reading tells
				readUntil(t, r, "\n")
				best := time.Hour
				for range 10 { // a busy machine may be late, but not each time
					began := time.Now()
					_, _ = io.WriteString(c, term.message("work"))
					readUntil(t, r, "now")
					best = min(best, time.Since(began))
					release <- struct{}{}
				}
				if best > 20*time.Millisecond {
					t.Errorf("what was sent took %v at the least", best)
				}
			})
		}
	}
}

// readUntil reads up to and including a text.
func readUntil(t *testing.T, r *bufio.Reader, end string) (read string) {
	t.Helper()
	for !strings.HasSuffix(read, end) {
		b, err := r.ReadByte()
		if err != nil {
			t.Fatalf("read %q, %v; want %q", read, err, end)
		}
		read += string(rune(b))
	}
	return read
}

// What the channel layer sends while Connect runs comes behind the answer, also if
// Connect takes long.
func TestLayerMessageDuringConnectFollowsTheAnswer(t *testing.T) {
	t.Parallel()
	for carrier, connect := range carriers(t) {
		for name, term := range terms {
			t.Run(name+" over "+carrier, func(t *testing.T) {
				hub, err := channellayer.New(channellayer.Config{})
				if err != nil {
					t.Fatal(err)
				}
				c := connect(&consumer.Messages[struct{}]{
					Layer: hub, Groups: []string{"all"},
					Connect: func(_ *struct{}, ctx context.Context, c *consumer.Conn) error {
						if err := c.Broadcast(ctx, "all", "said", "early"); err != nil {
							return err
						}
						<-time.After(50 * time.Millisecond)
						if err := c.Accept("", nil); err != nil {
							return err
						}
						return c.SendText("welcome")
					},
					Broadcasts: consumer.Broadcasts{"said": consumer.Render[string]()},
				})
				_, _ = io.WriteString(c, term.open) // the reading tells
				got := readUntil(t, bufio.NewReader(c), "early")
				answer, welcome := strings.Index(got, term.answer), strings.Index(got, "welcome")
				if answer != 0 || welcome < 0 {
					t.Errorf("read %q; want the answer, what Connect sent, and the layer's message", got)
				}
			})
		}
	}
}
