package middleware

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A Trace is the place of a connection in a distributed trace (W3C Trace Context,
// level 1). Its span is the connection.
type Trace struct {
	// Trace is the id of the whole trace, never all zeros.
	Trace [16]byte
	// Span is the id of this connection's span, never all zeros.
	Span [8]byte
	// Parent is the span that caused this one, all zeros in a trace that begins
	// here.
	Parent [8]byte
	// Sampled says that the caller may have recorded the trace.
	Sampled bool
	// State is the tracestate header as it came, for what is called next; "" for
	// none.
	State string
}

// TraceID returns the trace's id in hexadecimal.
func (t Trace) TraceID() string { return hex.EncodeToString(t.Trace[:]) }

// SpanID returns the id of this connection's span in hexadecimal.
func (t Trace) SpanID() string { return hex.EncodeToString(t.Span[:]) }

// Traceparent returns the traceparent header for what this connection calls.
func (t Trace) Traceparent() string {
	flags := 0
	if t.Sampled {
		flags = 1
	}
	return fmt.Sprintf("00-%x-%x-%02x", t.Trace, t.Span, flags)
}

var errTraceparent = errors.New("middleware: a traceparent must be version-traceid-parentid-flags in lower-case hexadecimal")

// ParseTraceparent reads a traceparent header (W3C Trace Context, section 3.2)
// and returns a trace with the Trace, Parent and Sampled that it has, and no Span
// yet. Versions to come are read as far as they are like version 00.
func ParseTraceparent(s string) (Trace, error) {
	const length = 55
	var version, flags [1]byte
	var t Trace
	if len(s) < length || s[2] != '-' || s[35] != '-' || s[52] != '-' {
		return Trace{}, errTraceparent
	}
	ok := decodeHex(version[:], s[:2]) && decodeHex(t.Trace[:], s[3:35]) &&
		decodeHex(t.Parent[:], s[36:52]) && decodeHex(flags[:], s[53:55])
	switch {
	case !ok, version[0] == 0xff:
		return Trace{}, errTraceparent
	case version[0] == 0 && len(s) != length, len(s) > length && s[length] != '-':
		return Trace{}, errTraceparent
	case t.Trace == [16]byte{}, t.Parent == [8]byte{}:
		return Trace{}, errors.New("middleware: the ids of a traceparent must not be all zeros")
	}
	t.Sampled = flags[0]&1 != 0
	return t, nil
}

// decodeHex decodes lower-case hexadecimal, twice as long as dst.
func decodeHex(dst []byte, s string) bool {
	if strings.ContainsAny(s, "ABCDEF") {
		return false
	}
	_, err := hex.Decode(dst, []byte(s))
	return err == nil
}

// newIDs gives t a span, and a trace if it has none.
func (t *Trace) newIDs() {
	for t.Trace == [16]byte{} {
		_, _ = rand.Read(t.Trace[:]) // never fails
	}
	for t.Span == [8]byte{} {
		_, _ = rand.Read(t.Span[:])
	}
}

// isTracestate reports whether s is a tracestate header (W3C Trace Context,
// section 3.3) that is to be passed on: at most 32 members and 512 bytes, and no
// key twice.
func isTracestate(s string) bool {
	const members, size = 32, 512
	if s == "" || len(s) > size || strings.Count(s, ",") >= members {
		return false
	}
	var keys [members]string
	n := 0
	for member := range strings.SplitSeq(s, ",") {
		member = strings.Trim(member, " \t")
		if member == "" {
			continue // allowed, for lists that were joined
		}
		key, value, _ := strings.Cut(member, "=")
		if !isStateKey(key) || !isStateValue(value) || slices.Contains(keys[:n], key) {
			return false
		}
		keys[n] = key
		n++
	}
	return n > 0
}

// isStateKey reports whether s is a simple key, or a tenant and a system joined by @.
func isStateKey(s string) bool {
	tenant, system, multi := strings.Cut(s, "@")
	if !multi {
		return isStateName(s, 256, false)
	}
	return isStateName(tenant, 241, true) && isStateName(system, 14, false)
}

func isStateName(s string, longest int, digitFirst bool) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z':
		case '0' <= c && c <= '9' && (i > 0 || digitFirst):
		case i > 0 && strings.IndexByte("_-*/", c) >= 0:
		default:
			return false
		}
	}
	return s != "" && len(s) <= longest
}

func isStateValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '=' || c == ',' {
			return false
		}
	}
	return s != "" && len(s) <= 256 && s[len(s)-1] != ' '
}
