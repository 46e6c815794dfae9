package main

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/portico-go/portico/protocol"
)

// netstrings is a protocol for programs: all that either side sends is netstrings
// (https://cr.yp.to/proto/netstrings.txt), so whatever is in a message needs no
// escaping. The client's first is the path to open, and a token if it has one; the
// server's first is the answer. Each other one is a message.
//
//	client: 17:/rooms/go builder,13:{"text":"hi"},
//	server: 6:200 OK,44:{"from":"bob","via":"netstring","text":"hi"},
//
// It is a protocol.Protocol. One value serves all connections.
type netstrings struct{}

// Name implements protocol.Protocol.
func (netstrings) Name() string { return "netstring" }

// Detect implements protocol.Detector: no HTTP method and no line of the chat begins
// with a digit. A client may send byte by byte, so it asks for more until the colon.
func (netstrings) Detect(prefix []byte) protocol.Verdict {
	_, n, err := length(prefix)
	switch {
	case err != nil:
		return protocol.No
	case n == 0:
		return protocol.More
	}
	return protocol.Yes
}

// New implements protocol.Protocol.
func (netstrings) New(limits protocol.Limits) (protocol.Handshake, protocol.Codec) {
	limits = limits.WithDefaults()
	return handshake{limits.Handshake}, codec{limits.Frame}
}

// A handshake reads the first netstring of a client. It keeps nothing: what is
// incomplete comes again, with more behind it.
type handshake struct{ limit int }

// Decode implements protocol.Handshake. The token is shown as the header in which
// HTTP has it, so that whatever looks for one finds it.
func (h handshake) Decode(in []byte) (*protocol.Request, int, error) {
	data, n, err := cut(in, h.limit)
	switch {
	case err != nil:
		return nil, 0, &protocol.Reject{Status: 400, Reason: "expected a netstring with a path", Err: err}
	case n == 0:
		return nil, 0, nil
	}
	target, token, hasToken := strings.Cut(string(data), " ") // a copy: in is not ours
	var fields protocol.Fields
	if hasToken {
		fields.Add("Authorization", "Bearer "+token)
	}
	headers, err := protocol.NewHeaders(fields)
	if err != nil {
		return nil, 0, &protocol.Reject{Status: 400, Reason: "malformed token", Err: err}
	}
	return &protocol.Request{
		Protocol: netstrings{}.Name(),
		Framing:  protocol.FramingMessage,
		Scheme:   netstrings{}.Name(),
		Target:   target, // checked when it becomes a scope
		Headers:  headers,
	}, n, nil
}

// A codec translates between netstrings and events behind the handshake.
type codec struct{ limit int }

// Decode implements protocol.Codec.
func (c codec) Decode(in []byte, emit func(protocol.Event) error) (n int, err error) {
	for {
		data, used, err := cut(in[n:], c.limit)
		if err != nil || used == 0 {
			return n, err
		}
		n += used
		if err := emit(&protocol.Message{Binary: !utf8.Valid(data), Data: data}); err != nil {
			return n, err
		}
	}
}

// Append implements protocol.Codec. There is no form for a close: the connection
// just ends.
func (codec) Append(dst []byte, ev protocol.Event) ([]byte, error) {
	switch ev := ev.(type) {
	case *protocol.Accept:
		return appendNetstring(dst, "200 OK"), nil
	case *protocol.Reject:
		return appendNetstring(dst, fmt.Sprintf("%d %s", ev.StatusOrDefault(), ev.Text())), nil
	case *protocol.Message:
		return appendNetstring(dst, ev.Data), nil
	case *protocol.Close, *protocol.Ping, *protocol.Pong:
		return dst, nil
	}
	return dst, fmt.Errorf("netstring: cannot send a %s event", ev.EventType())
}

func appendNetstring[T string | []byte](dst []byte, data T) []byte {
	dst = strconv.AppendInt(dst, int64(len(data)), 10)
	dst = append(dst, ':')
	dst = append(dst, data...)
	return append(dst, ',')
}

// What a client can do wrong, as it ends a connection that was accepted.
var (
	errMalformed = protocol.Closef(protocol.CloseProtocolError, "malformed netstring")
	errTooLong   = protocol.Closef(protocol.CloseMessageTooBig, "netstring too long")
)

// cut returns the first netstring of in, and how many bytes it has with what is
// around it: 0 as long as some are missing. One that is too long it refuses at its
// length, so that nobody waits for the rest of a gigabyte, or keeps it.
func cut(in []byte, limit int) (data []byte, n int, err error) {
	size, start, err := length(in)
	end := start + size
	switch {
	case err != nil:
		return nil, 0, err
	case size > limit:
		return nil, 0, errTooLong
	case start == 0, len(in) <= end:
		return nil, 0, nil
	case in[end] != ',':
		return nil, 0, errMalformed
	}
	return in[start:end], end + 1, nil
}

// length returns the length that a netstring begins with, and how many bytes that
// takes with its colon: 0 as long as some are missing.
func length(in []byte) (size, n int, err error) {
	const most = 9 // digits
	digits, _, complete := bytes.Cut(in[:min(len(in), most+1)], []byte(":"))
	if len(digits) == 0 && !complete {
		return 0, 0, nil
	}
	parsed, err := strconv.ParseUint(string(digits), 10, 63)
	switch {
	case err != nil, len(digits) > most, len(digits) > 1 && digits[0] == '0':
		return 0, 0, errMalformed
	case !complete:
		return 0, 0, nil
	}
	return int(parsed), len(digits) + 1, nil
}
