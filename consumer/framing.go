package consumer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/protocol"
)

// A LineMarshaler is a value that has a form for line-based protocols.
type LineMarshaler interface {
	// MarshalLine returns the text for a terminal. A line break in it makes several
	// lines; repeat who speaks on each of them, with Lines, or a text could forge
	// somebody else's.
	MarshalLine() (string, error)
}

// A LineUnmarshaler is a value that can be made of a line of text.
type LineUnmarshaler interface {
	// UnmarshalLine fills the value from one line, without its line break.
	UnmarshalLine(line string) error
}

// Lines returns text with prefix before each of its lines.
func Lines(prefix, text string) string {
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
	return prefix + strings.ReplaceAll(text, "\n", "\n"+prefix)
}

// MarshalFraming renders a value: as JSON for protocol.FramingMessage, with
// MarshalLine for protocol.FramingLine, for which strings are their own line.
func MarshalFraming(framing protocol.Framing, value any) ([]byte, error) {
	if framing != protocol.FramingLine {
		return marshalJSON(value)
	}
	switch v := value.(type) {
	case LineMarshaler:
		line, err := v.MarshalLine()
		if err != nil {
			return nil, fmt.Errorf("consumer: encode %T as a line: %w", value, err)
		}
		return []byte(line), nil
	case string:
		return []byte(v), nil
	}
	return nil, fmt.Errorf("consumer: %T has no form for line-based protocols: give it a MarshalLine method", value)
}

// marshalJSON is json.Marshal without its escaping for HTML, which nobody wants who
// reads "<alice>" in a message.
func marshalJSON(value any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return nil, fmt.Errorf("consumer: encode %T: %w", value, err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// UnmarshalFraming is the way back, into the value that v points to. JSON must be
// one value with nothing behind it.
func UnmarshalFraming(framing protocol.Framing, data []byte, v any) error {
	if framing == protocol.FramingLine {
		switch v := v.(type) {
		case LineUnmarshaler:
			return v.UnmarshalLine(string(data))
		case *string:
			*v = string(data)
			return nil
		}
		return fmt.Errorf("consumer: %T cannot be made of a line: give it an UnmarshalLine method", v)
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return errors.New("the message is empty, expected JSON")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more behind the JSON value")
	}
	return nil
}

// JSON makes a Receive function of one that takes a typed value: a T decoded from
// JSON, or with UnmarshalLine from a line. A message that is no T, a binary one
// included, closes the connection with protocol.CloseInvalidPayload and a reason
// that says what is wrong; with JSONOr it need not.
func JSON[C, T any](receive func(c *C, ctx context.Context, conn *Conn, value T) error) func(*C, context.Context, *Conn, *protocol.Message) error {
	return JSONOr(receive, func(_ *C, _ context.Context, _ *Conn, err error) error {
		return &protocol.CloseError{Code: protocol.CloseInvalidPayload, Reason: shorten(err.Error()), Err: err}
	})
}

// JSONOr is JSON with a function of your own for a message that is no T. If it
// returns nil the connection goes on.
func JSONOr[C, T any](
	receive func(c *C, ctx context.Context, conn *Conn, value T) error,
	invalid func(c *C, ctx context.Context, conn *Conn, err error) error,
) func(*C, context.Context, *Conn, *protocol.Message) error {
	return func(c *C, ctx context.Context, conn *Conn, m *protocol.Message) error {
		var value T
		if err := decodeMessage(conn.scope.Framing(), m, &value); err != nil {
			return invalid(c, ctx, conn, err)
		}
		return receive(c, ctx, conn, value)
	}
}

func decodeMessage(framing protocol.Framing, m *protocol.Message, v any) error {
	if m.Binary {
		return errors.New("invalid message: binary, expected text")
	}
	if err := UnmarshalFraming(framing, m.Data, v); err != nil {
		return fmt.Errorf("invalid message: %w", err)
	}
	return nil
}

// shorten cuts a reason to what a close frame holds (RFC 6455, section 5.5).
func shorten(reason string) string {
	const most = 120
	if len(reason) <= most {
		return reason
	}
	return strings.ToValidUTF8(reason[:most], "")
}

// Events are the handlers of the channel layer's events, by type. A type that is
// not listed never reaches the consumer, so a sender cannot name any other
// function of it.
type Events[C any] map[string]func(c *C, ctx context.Context, conn *Conn, m *channellayer.Message) error

// Event makes an entry of Events of a function that takes a typed value. The value
// is decoded once and shared by all members of a group: it is to be read only. An
// event whose value is no T goes to Messages.Unhandled.
func Event[C, T any](handle func(c *C, ctx context.Context, conn *Conn, value T) error) func(*C, context.Context, *Conn, *channellayer.Message) error {
	return func(c *C, ctx context.Context, conn *Conn, m *channellayer.Message) error {
		value, err := channellayer.Value[T](m)
		if err != nil {
			return &valueError{fmt.Errorf("consumer: the event %q is no %T: %w", m.Type, value, err)}
		}
		return handle(c, ctx, conn, value)
	}
}

// A valueError says that a layer's message does not hold what its type promises.
type valueError struct{ err error }

// Error implements error.
func (e *valueError) Error() string { return e.err.Error() }

// Broadcasts are the renderings of the channel layer's broadcasts, by type.
type Broadcasts map[string]func(framing protocol.Framing, m *channellayer.Message) ([]byte, error)

// A form is what broadcasts look like to the connections of one consumer with one
// framing.
type form struct {
	table   *Broadcasts
	framing protocol.Framing
}

// render makes the message that they all get.
func (f form) render(m *channellayer.Message) (*protocol.Message, error) {
	render, ok := (*f.table)[m.Type]
	if !ok {
		if f.framing != protocol.FramingMessage {
			return nil, fmt.Errorf("consumer: the broadcast %q has no rendering for framing %q", m.Type, f.framing)
		}
		return protocol.SharedMessage(false, m.Payload), nil
	}
	data, err := render(f.framing, m)
	if err != nil {
		return nil, err
	}
	return protocol.SharedMessage(false, data), nil
}

// Render makes an entry of Broadcasts for values of type T, with MarshalFraming.
// Each framing is rendered once and shared by all members of the group.
func Render[T any]() func(protocol.Framing, *channellayer.Message) ([]byte, error) {
	return func(framing protocol.Framing, m *channellayer.Message) ([]byte, error) {
		value, err := channellayer.Value[T](m)
		if err != nil {
			return nil, fmt.Errorf("consumer: the broadcast %q is no %T: %w", m.Type, value, err)
		}
		return MarshalFraming(framing, value)
	}
}
