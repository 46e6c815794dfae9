package channellayer

import "fmt"

// Header keys that have a meaning. All other keys are the application's.
const (
	// HeaderTraceParent is the W3C trace context of the sender.
	HeaderTraceParent = "traceparent"
	// HeaderIdempotencyKey names a send, so that repeating it has no second effect where the layer keeps history.
	HeaderIdempotencyKey = "idempotency-key"
	// HeaderExcept is the name of one channel that the message is not for; it may repeat. See [Except].
	HeaderExcept = "except"
	// HeaderWhere is a condition on the members that a message is for; if it repeats, all must hold. See [Where].
	HeaderWhere = "where"
)

// The layer's own fields, which a node puts before all others of what it publishes, and takes off what it receives.
const (
	headerNode    = "portico-node"    // who has published it
	headerChannel = "portico-channel" // the channel that it is for, in the inbox of a node
)

// Limits of a header. They hold at the sender and at the parser.
const (
	MaxHeaders     = 64      // fields in one header
	MaxHeaderValue = 8 << 10 // bytes in one value

	layerFields = 2
	wireHeaders = MaxHeaders + layerFields // fields in one header on its way
)

// A Field is one key and value of a [Header]. The key follows the rule of [CheckName]; the value is any bytes.
type Field struct {
	Key, Value string
}

// A Header is the ordered list of a message's fields. Keys are compared byte by byte, and may repeat.
type Header []Field

// Get returns the first value of key, or "".
func (h Header) Get(key string) string {
	for _, f := range h {
		if f.Key == key {
			return f.Value
		}
	}
	return ""
}

// check reports a field that the envelope could not carry.
func (h Header) check() error {
	if len(h) > MaxHeaders {
		return fmt.Errorf("%w: %d header fields, at most %d are allowed", ErrTooLarge, len(h), MaxHeaders)
	}
	for _, f := range h {
		if err := checkName("header key", f.Key); err != nil {
			return err
		}
		if len(f.Value) > MaxHeaderValue {
			return fmt.Errorf("%w: header %q has %d bytes, at most %d are allowed", ErrTooLarge, f.Key, len(f.Value), MaxHeaderValue)
		}
	}
	return nil
}
