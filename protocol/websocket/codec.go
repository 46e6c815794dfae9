package websocket

import (
	"sync"

	"github.com/portico-go/portico/protocol"
)

// A Codec is one WebSocket's codec on the server's side. It implements
// protocol.Codec; Upgrader.Upgrade makes it. Between messages it holds no buffer.
//
// Decode emits *protocol.Message, *protocol.Ping, *protocol.Pong and
// *protocol.Close. The Data of a message that arrives whole in one frame aliases
// in, where it is unmasked; of any other message, a buffer that is reused. A frame
// that breaks the rules of RFC 6455 is a *protocol.CloseError with 1002, 1007 for
// text that is not UTF-8 or data that cannot be inflated, or 1009 for more than the
// limits allow. After an error of its own, or the peer's close, Decode consumes what
// comes and emits nothing.
//
// Append takes one Accept or Reject, then the other events.
type Codec struct {
	config *Config // shared

	// For Append.
	hello *hello // nil when the handshake is answered

	// For Decode.
	partial *partial // what has arrived of an incomplete message, else nil
	ended   bool     // nothing more is decoded

	// For both, and never changed: the logarithm of the window for what is compressed,
	// or 0 if compression was not negotiated.
	window uint8
}

var (
	_ protocol.CloseAnswerer = (*Codec)(nil)
	_ protocol.PingAnswerer  = (*Codec)(nil)
)

// AnswersClose implements protocol.CloseAnswerer (RFC 6455, section 5.5.1).
func (*Codec) AnswersClose() bool { return true }

// AnswersPing implements protocol.PingAnswerer (RFC 6455, section 5.5.2).
func (*Codec) AnswersPing() bool { return true }

// hello is what the answer to a handshake needs to know of it.
type hello struct {
	key       [keyChars]byte
	offered   []string // subprotocols
	extension string   // the answer to the offered ones; "" is none
}

var hellos = sync.Pool{New: func() any { return new(hello) }}

// answered is called when the handshake is answered.
func (c *Codec) answered() {
	*c.hello = hello{}
	hellos.Put(c.hello)
	c.hello = nil
}

// messages spare each message an allocation, and each idle codec the room for one.
var messages = sync.Pool{New: func() any { return new(protocol.Message) }}
