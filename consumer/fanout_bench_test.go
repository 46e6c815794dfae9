package consumer_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/consumer"
	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/protocol/chat"
	"github.com/portico-go/portico/protocol/websocket"
)

// A sink is a transport that encodes what is sent and throws it away.
type sink struct {
	life  *protocol.Lifecycle
	codec protocol.Codec
	out   []byte
	mail  protocol.Event
	sent  int
}

// Send implements protocol.Transport.
func (s *sink) Send(ev protocol.Event) (err error) {
	s.sent++
	s.out, err = s.codec.Append(s.out[:0], ev)
	return err
}

// Flush implements protocol.Transport.
func (*sink) Flush() error { return nil }

// Post implements protocol.Transport.
func (s *sink) Post(ev protocol.Event) error {
	s.mail = ev
	return nil
}

// deliver lets the handler read its mail.
func (s *sink) deliver(tb testing.TB) {
	tb.Helper()
	if err := s.life.Deliver(s.mail); err != nil {
		tb.Fatal(err)
	}
}

// members connects n members of the group "all" with sinks.
func members(tb testing.TB, hub *channellayer.Hub, n int, open func() (*protocol.Request, protocol.Codec)) []*sink {
	tb.Helper()
	app := &consumer.Messages[struct{}]{
		Layer:      hub,
		Groups:     []string{"all"},
		Broadcasts: consumer.Broadcasts{"said": consumer.Render[string]()},
	}
	out := make([]byte, 0, 64<<10)
	sinks := make([]*sink, n)
	for i := range sinks {
		req, codec := open()
		s := &sink{codec: codec, out: out}
		life, err := protocol.NewLifecycle(context.Background(), req, s, &protocol.Settings{})
		if err != nil {
			tb.Fatal(err)
		}
		s.life = life
		if err := life.Open(app); err != nil {
			tb.Fatal(err)
		}
		if err := life.Deliver(&protocol.Connect{}); err != nil {
			tb.Fatal(err)
		}
		sinks[i] = s
	}
	return sinks
}

func overWebSocket(tb testing.TB) func() (*protocol.Request, protocol.Codec) {
	tb.Helper()
	return overWebSocketWith(tb, websocket.Compression{})
}

func overCompressed(tb testing.TB) func() (*protocol.Request, protocol.Codec) {
	tb.Helper()
	return overWebSocketWith(tb, websocket.Compression{Enabled: true, MinSize: 100})
}

func overWebSocketWith(tb testing.TB, c websocket.Compression) func() (*protocol.Request, protocol.Codec) {
	tb.Helper()
	upgrader := websocket.NewUpgrader(websocket.Config{Compression: c})
	headers, err := protocol.ParseHeaders("Host: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: permessage-deflate\r\n")
	if err != nil {
		tb.Fatal(err)
	}
	return func() (*protocol.Request, protocol.Codec) {
		req := &protocol.Request{Version: "1.1", Method: "GET", Scheme: "http", Target: "/", Headers: headers}
		codec, err := upgrader.Upgrade(req)
		if err != nil {
			tb.Fatal(err)
		}
		return req, codec
	}
}

func overChat(tb testing.TB) func() (*protocol.Request, protocol.Codec) {
	tb.Helper()
	proto, err := chat.New(chat.Config{})
	if err != nil {
		tb.Fatal(err)
	}
	return func() (*protocol.Request, protocol.Codec) {
		handshake, codec := proto.New(protocol.Limits{})
		req, _, err := handshake.Decode([]byte("/join /\n"))
		if err != nil {
			tb.Fatal(err)
		}
		return req, codec
	}
}

// protocols are the ways to connect to a consumer.
var protocols = map[string]func(testing.TB) func() (*protocol.Request, protocol.Codec){
	"websocket":  overWebSocket,
	"compressed": overCompressed,
	"chat":       overChat,
}

// text returns a text of a size.
func text(size int) string { return strings.Repeat("hello, world 0123456789 ", size/24+1)[:size] }

// BenchmarkFanOut broadcasts to 10,000 members, whose codecs write to nowhere. The
// time is that of one delivery.
func BenchmarkFanOut(b *testing.B) {
	const n = 10_000
	for name, open := range protocols {
		for _, size := range []int{128, 1 << 10} {
			b.Run(fmt.Sprintf("%s/%d", name, size), func(b *testing.B) {
				hub, err := channellayer.New(channellayer.Config{})
				if err != nil {
					b.Fatal(err)
				}
				defer hub.Close()
				sinks := members(b, hub, n, open(b))
				ev := channellayer.Event{Type: "said", Value: text(size)}
				b.ReportAllocs()
				for b.Loop() {
					if _, err := hub.Broadcast(b.Context(), "all", ev); err != nil {
						b.Fatal(err)
					}
					for _, s := range sinks {
						s.deliver(b)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/delivery")
			})
		}
	}
}
