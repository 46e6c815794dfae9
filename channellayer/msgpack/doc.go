// Package msgpack encodes the values of a channel layer as MessagePack, which is shorter than JSON and keeps bytes as bytes.
//
// # Usage
//
//	hub, err := channellayer.New(channellayer.Config{Broker: broker, Codec: msgpack.Codec{}})
//
// All nodes of a layer must use the same codec. A consumer's clients get broadcasts as they travel unless its Broadcasts have a rendering for
// their type; with this codec each type needs one, such as consumer.Render, because a browser expects text.
//
// # Concurrency and ordering
//
// A [Codec] has no state, and any number of goroutines may use one.
//
// # Limits
//
// Structures are up to [MaxDepth] deep. What comes is checked as a whole before anything of it is decoded: no length in it can exceed what has come,
// so that memory is taken for values that are there, and for no others.
//
// # Extending
//
// A type with the methods EncodeMsgpack and DecodeMsgpack, or MarshalMsgpack and UnmarshalMsgpack, of github.com/vmihailenco/msgpack/v5 has a form of its own. Fields of structs are named by the tag
// "msgpack", and without it by the tag "json", so that a program can change its codec and keep its types.
//
// # Errors
//
// A value that cannot be encoded is an error of the send. What is no MessagePack, and what does not fit into the value that is asked for, is one of the receiver's Value.
package msgpack
