package communicator

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/portico-go/portico/protocol"
)

// A Messages drives a connection of a protocol with messages: a WebSocket, a chat.
type Messages struct{ *Communicator }

// Connect opens the connection and waits for the answer to its handshake. A
// refusal is returned as a *protocol.Reject.
func (m *Messages) Connect() (*protocol.Accept, error) {
	m.Open(&protocol.Connect{})
	ev, err := m.Receive()
	if err != nil && ev == nil {
		return nil, err
	}
	switch ev := ev.(type) {
	case *protocol.Accept:
		return ev, err
	case *protocol.Reject:
		return nil, errors.Join(ev, err)
	}
	return nil, unexpected("accept", ev)
}

// SendText sends a text message to the application and waits until it is handled.
func (m *Messages) SendText(text string) error {
	return m.Deliver(&protocol.Message{Data: []byte(text)})
}

// SendBinary sends a binary message to the application and waits until it is
// handled.
func (m *Messages) SendBinary(data []byte) error {
	return m.Deliver(&protocol.Message{Binary: true, Data: data})
}

// SendJSON sends a value as JSON text and waits until it is handled.
func (m *Messages) SendJSON(v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return m.Deliver(&protocol.Message{Data: data})
}

// ReceiveMessage returns the next message of the application. A close in its
// place is an error that wraps a *protocol.CloseError.
func (m *Messages) ReceiveMessage() (*protocol.Message, error) {
	ev, err := m.Receive()
	if ev == nil {
		return nil, err
	}
	switch ev := ev.(type) {
	case *protocol.Message:
		return ev, err
	case *protocol.Close:
		return nil, errors.Join(fmt.Errorf("communicator: expected message, but was close: %w", &protocol.CloseError{Code: ev.Code, Reason: ev.Reason}), err)
	}
	return nil, errors.Join(unexpected("message", ev), err)
}

// ReceiveText returns the next message, which must be text.
func (m *Messages) ReceiveText() (string, error) {
	msg, err := m.ReceiveMessage()
	switch {
	case msg == nil:
		return "", err
	case msg.Binary:
		return "", errors.Join(errors.New("communicator: expected text, but the message is binary"), err)
	}
	return string(msg.Data), err
}

// ReceiveBinary returns the next message, which must be binary.
func (m *Messages) ReceiveBinary() ([]byte, error) {
	msg, err := m.ReceiveMessage()
	switch {
	case msg == nil:
		return nil, err
	case !msg.Binary:
		return nil, errors.Join(errors.New("communicator: expected binary, but the message is text"), err)
	}
	return msg.Data, err
}

// ReceiveJSON decodes the next message, which must be text, into v.
func (m *Messages) ReceiveJSON(v any) error {
	text, err := m.ReceiveText()
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(text), v)
}

// ReceiveClose returns the close that the application sends next.
func (m *Messages) ReceiveClose() (*protocol.Close, error) {
	ev, err := m.Receive()
	if c, ok := ev.(*protocol.Close); ok {
		return c, err
	}
	if ev == nil {
		return nil, err
	}
	return nil, errors.Join(unexpected("close", ev), err)
}

func unexpected(want string, ev protocol.Event) error {
	return fmt.Errorf("communicator: expected %s, but was %s", want, ev.EventType())
}
