package channellayer

import "encoding/json"

// A Codec turns the values of events into bytes and back. All nodes that share a broker must use the same one.
// Its methods are called by many goroutines at a time.
type Codec interface {
	// Encode returns v as bytes that the caller owns. It fails for a value that would not survive the way to another node.
	Encode(v any) ([]byte, error)
	// Decode fills the value that v points to from data, of which it keeps nothing.
	Decode(data []byte, v any) error
}

// JSON is the codec of encoding/json, and the default.
type JSON struct{}

var _ Codec = JSON{}

// Encode is json.Marshal.
func (JSON) Encode(v any) ([]byte, error) { return json.Marshal(v) }

// Decode is json.Unmarshal.
func (JSON) Decode(data []byte, v any) error { return json.Unmarshal(data, v) }
