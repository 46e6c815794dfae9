package main

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/portico-go/portico/protocol"
)

// conversation decodes input as a server does that reads it in the given pieces,
// and returns what was seen in it.
func conversation(pieces ...string) (seen []string, err error) {
	handshake, codec := netstrings{}.New(protocol.Limits{Handshake: 40, Frame: 20})
	var buf []byte
	var req *protocol.Request
	emit := func(ev protocol.Event) error {
		m, ok := ev.(*protocol.Message)
		if !ok {
			return fmt.Errorf("got a %s event", ev.EventType())
		}
		seen = append(seen, fmt.Sprintf("%t %s", m.Binary, m.Data))
		return nil
	}
	for _, piece := range pieces {
		buf = append(buf, piece...)
		if req == nil {
			var n int
			if req, n, err = handshake.Decode(buf); err != nil {
				return seen, err
			}
			if buf = buf[n:]; req == nil {
				continue
			}
			seen = append(seen, "open "+req.Target+" "+req.Headers.Get("Authorization"))
		}
		n, err := codec.Decode(buf, emit)
		if err != nil {
			return seen, err
		}
		buf = buf[n:]
	}
	if len(buf) > 0 {
		seen = append(seen, "left "+string(buf))
	}
	return seen, nil
}

func TestSplitAtEachByte(t *testing.T) {
	t.Parallel()
	const in = "17:/rooms/go builder,2:hi,0:,3:1,2,4:\xff\x00:,,7:not all"
	want := []string{"open /rooms/go Bearer builder", "false hi", "false ", "false 1,2", "true \xff\x00:,", "left 7:not all"}
	for i := range len(in) + 1 {
		if got, err := conversation(in[:i], in[i:]); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("split at %d: %q, %v; want %q", i, got, err, want)
		}
	}
	if got, err := conversation(strings.Split(in, "")...); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("byte by byte: %q, %v; want %q", got, err, want)
	}
}

func TestFaultsAreSeenAtOnce(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, in string
		want     int // a status, or a close code
	}{
		{"no length", "/rooms/go\n", 400},
		{"a colon alone", ":", 400},
		{"a sign", "+2:", 400},
		{"a leading zero", "01", 400},
		{"a length without end", "1111111111", 400},
		{"a long handshake", "41:", 400},
		{"no comma", "2:/a;", 400},
		{"a token with a line break", "6:/a b\nc,", 400},
		{"no length, later", "2:/a,hello", 1002},
		{"no comma, later", "2:/a,2:hi\n", 1002},
		{"a length of 2^62", "2:/a,4611686018427387904:", 1002},
		{"a long message", "2:/a,21:", 1009},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := conversation(c.in)
			got := 0
			if r, ok := errors.AsType[*protocol.Reject](err); ok {
				got = r.Status
			} else if e, ok := errors.AsType[*protocol.CloseError](err); ok {
				got = int(e.Code)
			}
			if got != c.want {
				t.Errorf("%v, want %d", err, c.want)
			}
		})
	}
}

func TestDetect(t *testing.T) {
	t.Parallel()
	for prefix, want := range map[string]protocol.Verdict{
		"GET / HTTP/1.1":   protocol.No,
		"/join /rooms/go":  protocol.No,
		"\x16\x03\x01":     protocol.No,
		"9":                protocol.More,
		"17":               protocol.More,
		"17:":              protocol.Yes,
		"17:/rooms/go b":   protocol.Yes,
		"2:/a;":            protocol.Yes, // detected as when it came byte by byte, and refused
		"12345 is no size": protocol.No,
		"1234567890":       protocol.No,
	} {
		if got := (netstrings{}).Detect([]byte(prefix)); got != want {
			t.Errorf("Detect(%q) = %d, want %d", prefix, got, want)
		}
	}
}

func TestAppend(t *testing.T) {
	t.Parallel()
	_, codec := netstrings{}.New(protocol.Limits{})
	for _, c := range []struct {
		ev   protocol.Event
		want string
	}{
		{&protocol.Accept{}, "6:200 OK,"},
		{protocol.Rejectf(403, "no, not you"), "15:403 no, not you,"},
		{&protocol.Message{Data: []byte("1,2")}, "3:1,2,"},
		{&protocol.Message{}, "0:,"},
		{&protocol.Close{Code: 1001}, ""},
		{&protocol.Ping{}, ""},
	} {
		if got, err := codec.Append([]byte(">"), c.ev); err != nil || string(got) != ">"+c.want {
			t.Errorf("%s: %q, %v; want %q", c.ev.EventType(), got, err, ">"+c.want)
		}
	}
	if got, err := codec.Append(nil, &protocol.Timer{}); err == nil || len(got) > 0 {
		t.Errorf("an event without a form: %q, %v; want an error", got, err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("17:/rooms/go builder,2:hi,", 3)
	f.Add("2:/a,0:,21:", 7)
	f.Fuzz(func(t *testing.T, in string, at int) {
		at = max(0, min(at, len(in)))
		whole, wholeErr := conversation(in)
		split, splitErr := conversation(in[:at], in[at:])
		if fmt.Sprint(wholeErr) != fmt.Sprint(splitErr) || !reflect.DeepEqual(whole, split) {
			t.Errorf("%q split at %d: %q, %v; whole: %q, %v", in, at, split, splitErr, whole, wholeErr)
		}
	})
}
