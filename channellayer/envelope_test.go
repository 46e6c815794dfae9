package channellayer_test

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/portico-go/portico/channellayer"
)

// small is an envelope written out by hand: what version 1 is must never change.
var small = []byte("\x01\x01\x04said\x02\x01k\x01v\x06except\x00\x04\"hi\"")

func TestEnvelopeRoundTrip(t *testing.T) {
	t.Parallel()
	h := newHub(t, channellayer.Config{})
	s := subscribe(t, h, "c", "g")
	header := channellayer.Header{{Key: "k", Value: "v"}, {Key: channellayer.HeaderTraceParent, Value: "00-\x00\xff"}}
	ev := channellayer.Event{Type: "chat.message", Value: said{"alice", "hi"}, Header: header}
	if _, err := h.Broadcast(t.Context(), "g", ev, channellayer.Except("other")); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Broadcast(t.Context(), "g", channellayer.Event{}); err != nil {
		t.Fatal(err)
	}
	send(t, h, "c", 1)
	for m, ok := s.Next(); ok; m, ok = s.Next() {
		data := channellayer.AppendEnvelope([]byte("before"), m)[len("before"):]
		got, err := channellayer.ParseEnvelope(data)
		if err != nil {
			t.Fatal(err)
		}
		if got.Type != m.Type || got.Kind != m.Kind || !bytes.Equal(got.Payload, m.Payload) || len(got.Header) != len(m.Header) ||
			len(m.Header) > 0 && !reflect.DeepEqual(got.Header, m.Header) {
			t.Errorf("got %+v, expected %+v", got, m)
		}
		clear(data)
		if m.Kind == channellayer.KindBroadcast && m.Type != "" {
			if v, err := channellayer.Value[said](got); err != nil || v != (said{"alice", "hi"}) {
				t.Errorf("the message depends on the input: %v, %v", v, err)
			}
		}
	}
}

func TestEnvelopeBytes(t *testing.T) {
	t.Parallel()
	m, err := channellayer.ParseEnvelope(small)
	if err != nil {
		t.Fatal(err)
	}
	want := channellayer.Header{{Key: "k", Value: "v"}, {Key: "except", Value: ""}}
	if m.Type != "said" || m.Kind != channellayer.KindBroadcast || string(m.Payload) != `"hi"` || !reflect.DeepEqual(m.Header, want) {
		t.Errorf("%+v", m)
	}
	if got := channellayer.AppendEnvelope(nil, m); !bytes.Equal(got, small) {
		t.Errorf("got %q", got)
	}
	for n := range len(small) {
		if _, err := channellayer.ParseEnvelope(small[:n]); !errors.Is(err, channellayer.ErrEnvelope) {
			t.Errorf("the first %d bytes: %v", n, err)
		}
	}
}

func TestEnvelopeErrors(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]string{
		"":                                      "0 bytes",
		"\x02\x00":                              "version 2 is unknown, expected 1",
		"\x01\x02\x01t\x00\x00":                 "kind 2 is unknown",
		"\x01\x00\x00\x00\x00":                  "event type",
		"\x01\x00\x01\n\x00\x00":                "control character",
		"\x01\x00\x80\x02":                      "length of the type is 256, at most 255",
		"\x01\x00\x81\x00t\x00\x00":             "shortest form",
		"\x01\x00\x01t\x43":                     "number of header fields is 67",
		"\x01\x00\x01t\x01\x00\x00\x00":         "header key",
		"\x01\x00\x01t\x01\x01k\xff\xff\x03":    "length of the header value is 65535",
		"\x01\x00\x01t\x00\x05ab":               "only 2 are left",
		"\x01\x00\x01t\x00\x81\x80\x80\x08":     "length of the payload is 16777217",
		"\x01\x00\x01t\x00\x01ab":               "1 bytes follow",
		"\x01\x00" + strings.Repeat("\xff", 20): "too long",
	} {
		if m, err := channellayer.ParseEnvelope([]byte(data)); m != nil || !errors.Is(err, channellayer.ErrEnvelope) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, expected %q", data, err, want)
		}
	}
}

func FuzzEnvelope(f *testing.F) {
	f.Add(small)
	f.Add([]byte("\x01\x00\x01t\x00\x00"))
	f.Add([]byte("\x01\x00\x01t\x00\xff\xff\xff\x07"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := channellayer.ParseEnvelope(data)
		if err != nil {
			if !errors.Is(err, channellayer.ErrEnvelope) {
				t.Fatalf("%v", err)
			}
			return
		}
		if got := channellayer.AppendEnvelope(nil, m); !bytes.Equal(got, data) {
			t.Fatalf("%q has a second encoding %q", data, got)
		}
	})
}
