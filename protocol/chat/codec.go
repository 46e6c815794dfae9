package chat

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"unicode/utf8"

	"github.com/portico-go/portico/protocol"
)

// A codec is the wire format behind the handshake. It keeps nothing of a line that
// is incomplete: that stays with the server.
type codec struct {
	maxLine int

	// For Decode.
	message protocol.Message // the one being emitted, kept to spare an allocation
	ended   bool             // nothing more is decoded
}

// Decode implements protocol.Codec. A message's Data aliases in.
func (c *codec) Decode(in []byte, emit func(protocol.Event) error) (n int, err error) {
	for !c.ended {
		line, used, ok := cutLine(in[n:], c.maxLine)
		if !ok {
			c.ended = true
			return n, protocol.Closef(protocol.CloseMessageTooBig, "a line has more than %d bytes", c.maxLine)
		}
		if used == 0 {
			return n, nil
		}
		n += used
		if err := c.line(line, emit); err != nil {
			return n, err
		}
	}
	return len(in), nil
}

// line emits what a line says.
func (c *codec) line(line []byte, emit func(protocol.Event) error) error {
	if !utf8.Valid(line) {
		c.ended = true
		return protocol.Closef(protocol.CloseInvalidPayload, "a line is not UTF-8")
	}
	if len(line) == 0 || line[0] != '/' {
		return c.text(line, emit)
	}
	if bytes.HasPrefix(line, []byte("//")) {
		return c.text(line[1:], emit)
	}
	name, arg, _ := bytes.Cut(line, []byte(" "))
	switch string(name) {
	case "/ping":
		return emit(&protocol.Ping{Data: arg})
	case "/pong":
		return emit(&protocol.Pong{Data: arg})
	case "/quit":
		c.ended = true
		return emit(&protocol.Close{Code: protocol.CloseNormal, Reason: string(arg)})
	}
	c.ended = true
	return protocol.Closef(protocol.CloseProtocolError, "unknown command; write // for a text that starts with a slash")
}

func (c *codec) text(text []byte, emit func(protocol.Event) error) error {
	c.message = protocol.Message{Data: text}
	err := emit(&c.message)
	c.message.Data = nil // the buffer is not ours to keep
	return err
}

// Append implements protocol.Codec.
//
// Whatever an event holds, its lines are harmless: see clean. A line of text never
// begins with a single slash, and no line is longer than MaxLine: text goes on in a
// line that begins with an ellipsis, the argument of a command is cut. Headers and
// bodies are left out. A subprotocol, a binary message, and a close code that must
// not be sent are errors.
func (*codec) Append(dst []byte, ev protocol.Event) ([]byte, error) {
	switch ev := ev.(type) {
	case *protocol.Accept:
		if ev.Subprotocol != "" {
			return dst, fmt.Errorf("chat: there are no subprotocols, but %q was accepted", ev.Subprotocol)
		}
		return append(dst, "/ok\n"...), nil
	case *protocol.Reject:
		return appendNumbered(dst, "/err", ev.StatusOrDefault(), ev.Text()), nil
	case *protocol.Message:
		return ev.AppendEncoding(dst, Name, appendMessage)
	case *protocol.Close:
		return appendClose(dst, ev)
	case *protocol.Ping:
		return appendCommand(dst, "/ping", ev.Data), nil
	case *protocol.Pong:
		return appendCommand(dst, "/pong", ev.Data), nil
	}
	return dst, fmt.Errorf("chat: cannot send a %s event", ev.EventType())
}

// appendMessage appends a message, each of its lines as one. A line break at its
// end is taken for the end of its last line.
func appendMessage(dst []byte, m *protocol.Message) ([]byte, error) {
	if m.Binary {
		return dst, errors.New("chat: a binary message cannot be sent; the protocol has text only")
	}
	text := bytes.TrimSuffix(m.Data, []byte("\n"))
	for line := range bytes.SplitSeq(text, []byte("\n")) {
		dst = appendText(dst, bytes.TrimSuffix(line, []byte("\r")))
	}
	return dst, nil
}

// more is how a line begins that goes on with a text, so that nobody writes a
// text that is as long as to begin a line of its own.
const more = "… "

func appendText(dst, text []byte) []byte {
	text = clean(text)
	room := MaxLine
	if len(text) > 0 && text[0] == '/' {
		dst = append(dst, '/')
		room--
	}
	for len(text) > room {
		n := boundary(text, room)
		dst = append(dst, text[:n]...)
		dst = append(dst, "\n"+more...)
		text = text[n:]
		room = MaxLine - len(more)
	}
	dst = append(dst, text...)
	return append(dst, '\n')
}

// appendClose appends the end of a connection. What is the client's fault, or the
// server's, is an error, as it is before /ok; all else has a close code.
func appendClose(dst []byte, ev *protocol.Close) ([]byte, error) {
	switch ev.Code {
	case protocol.CloseProtocolError, protocol.CloseUnsupportedData, protocol.CloseInvalidPayload, protocol.CloseMessageTooBig:
		return appendError(dst, http.StatusBadRequest, ev.Reason), nil
	case protocol.CloseInternalError:
		return appendError(dst, http.StatusInternalServerError, ev.Reason), nil
	case 0, protocol.CloseNoStatus:
		return appendNumbered(dst, "/close", int(protocol.CloseNormal), ev.Reason), nil
	case protocol.CloseAbnormal:
		return dst, nil
	}
	if !ev.Code.Sendable() {
		return dst, fmt.Errorf("chat: the close code %d must not be sent; use 1000 to 1014 or 3000 to 4999", ev.Code)
	}
	return appendNumbered(dst, "/close", int(ev.Code), ev.Reason), nil
}

func appendError(dst []byte, status int, reason string) []byte {
	if reason == "" {
		reason = http.StatusText(status)
	}
	return appendNumbered(dst, "/err", status, reason)
}

func appendNumbered(dst []byte, name string, number int, reason string) []byte {
	return appendCommand(dst, name+" "+strconv.Itoa(number), []byte(reason))
}

// appendCommand appends a command on one line.
func appendCommand(dst []byte, name string, arg []byte) []byte {
	dst = append(dst, name...)
	if arg = clean(arg); len(arg) > 0 {
		dst = append(dst, ' ')
		if room := MaxLine - len(name) - 1; len(arg) > room {
			arg = arg[:boundary(arg, room)]
		}
		dst = append(dst, arg...)
	}
	return append(dst, '\n')
}
