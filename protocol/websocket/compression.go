package websocket

import (
	"slices"
	"strconv"
)

// Compression says whether messages may be compressed (permessage-deflate, RFC
// 7692), if the client offers it. The zero value is off: compression costs some
// memory while a message is handled, and much time.
//
// Each message is compressed on its own: the answer to every offer has
// server_no_context_takeover and client_no_context_takeover. So an idle connection
// holds no window, and a message to many connections is compressed once for all.
//
// What is compressed tells its content by its size: a message must not hold both a
// secret and what somebody else could choose to guess it.
type Compression struct {
	// Enabled turns it on.
	Enabled bool
	// MinSize is the size in bytes of the smallest message that is compressed when it
	// is sent. Default 512.
	MinSize int
	// MaxRatio bounds what a client can make of few bytes: a message may inflate to
	// this many times its compressed size, or to 64 KiB if that is more, and never to
	// more than Limits.Message. Others end the connection with 1009. Default 100.
	MaxRatio int
}

func (c Compression) withDefaults() Compression {
	if c.MinSize == 0 {
		c.MinSize = 512
	}
	if c.MaxRatio <= 0 {
		c.MaxRatio = 100
	}
	return c
}

// freely is what a message may inflate to whatever its compressed size.
const freely = 64 << 10

// most returns to how many bytes a message of a compressed size may inflate.
func (c *Config) most(size int) int {
	limit, ratio := c.Limits.Message, c.Compression.MaxRatio
	if size > limit/ratio {
		return limit
	}
	return min(limit, max(freely, size*ratio))
}

// An offer is one of a client's offers of permessage-deflate (RFC 7692, section 7).
type offer struct {
	seen     []string // the names of its parameters
	window   int      // server_max_window_bits, or 0 without
	declined bool
}

// The name of the extension, and those of its parameters (RFC 7692, section 7.1).
const (
	deflateName             = "permessage-deflate"
	serverNoContextTakeover = "server_no_context_takeover"
	clientNoContextTakeover = "client_no_context_takeover"
	serverMaxWindowBits     = "server_max_window_bits"
	clientMaxWindowBits     = "client_max_window_bits"
)

// The base-2 logarithms of the sizes of a window (RFC 7692, section 7.1.2).
const (
	minWindow = 8
	maxWindow = 15
)

// add takes a parameter. One that is not known, comes twice or has a value that it
// must not have declines the offer (RFC 7692, section 7.1).
func (o *offer) add(p parameter) {
	if o.declined {
		return
	}
	known := false
	switch p.name {
	case serverNoContextTakeover, clientNoContextTakeover:
		known = !p.valued
	case serverMaxWindowBits:
		o.window, known = windowBits(p.value)
	case clientMaxWindowBits: // it is free to use any window
		_, known = windowBits(p.value)
		known = known || !p.valued
	}
	o.declined = !known || slices.Contains(o.seen, p.name)
	o.seen = append(o.seen, p.name)
}

// windowBits reads 8 to 15, without leading zeros.
func windowBits(value string) (bits int, ok bool) {
	bits, err := strconv.Atoi(value)
	return bits, err == nil && bits >= minWindow && bits <= maxWindow && value == strconv.Itoa(bits)
}

// accepted returns the answer to an offer, and the window for what is sent.
func (o *offer) accepted() (answer string, window uint8) {
	answer = deflateName + "; " + serverNoContextTakeover + "; " + clientNoContextTakeover
	if o.window == 0 {
		return answer, maxWindow
	}
	return answer + "; " + serverMaxWindowBits + "=" + strconv.Itoa(o.window), uint8(o.window)
}
