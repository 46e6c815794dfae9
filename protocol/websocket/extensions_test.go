package websocket_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/protocol/websocket"
)

// negotiated returns the answer to what a client offers, or the status of a refusal.
func negotiated(t *testing.T, c websocket.Compression, offers ...string) (answer string, status int) {
	t.Helper()
	req := request(t)
	var edits []string
	for _, offer := range offers {
		edits = append(edits, "+Sec-WebSocket-Extensions: "+offer)
	}
	req.Headers = request(t, edits...).Headers
	codec, err := websocket.NewUpgrader(websocket.Config{Compression: c}).Upgrade(req)
	if err != nil {
		r, ok := errors.AsType[*protocol.Reject](err)
		if !ok || codec != nil {
			t.Fatalf("got %v, want a *Reject", err)
		}
		return "", r.Status
	}
	out, err := codec.Append(nil, &protocol.Accept{})
	if err != nil {
		t.Fatal(err)
	}
	status, header := response(t, out)
	return strings.Join(header["Sec-Websocket-Extensions"], " and "), status
}

func TestNegotiation(t *testing.T) {
	t.Parallel()
	const yes = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
	tests := []struct {
		name   string
		offers []string
		want   string // "" for none
	}{
		{"nothing", nil, ""},
		{"an empty list", []string{" , ,"}, ""},
		{"another extension", []string{"x-webkit-deflate-frame"}, ""},
		{"a plain offer", []string{"permessage-deflate"}, yes},
		{"what browsers offer", []string{"permessage-deflate; client_max_window_bits"}, yes},
		{"among others", []string{"foo; a=b; c, permessage-deflate, bar"}, yes},
		{"in another field", []string{"foo", "permessage-deflate"}, yes},
		{"all parameters", []string{"permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=15; client_max_window_bits=8"}, yes + "; server_max_window_bits=15"},
		{"a narrow window", []string{"permessage-deflate; server_max_window_bits=8"}, yes + "; server_max_window_bits=8"},
		{"a quoted value", []string{`permessage-deflate; server_max_window_bits="10"`}, yes + "; server_max_window_bits=10"},
		{"space wherever it may be", []string{" permessage-deflate\t;  server_max_window_bits = 10 , x "}, yes + "; server_max_window_bits=10"},
		{"the first of two", []string{"permessage-deflate; server_max_window_bits=9, permessage-deflate"}, yes + "; server_max_window_bits=9"},
		{"the first of two fields", []string{"permessage-deflate", "permessage-deflate; server_max_window_bits=9"}, yes},
		{"the first that is acceptable", []string{"permessage-deflate; x, permessage-deflate; server_max_window_bits=9, permessage-deflate"}, yes + "; server_max_window_bits=9"},

		{"an unknown parameter", []string{"permessage-deflate; no_context_takeover"}, ""},
		{"an unknown parameter behind a good one", []string{"permessage-deflate; client_max_window_bits; x=1"}, ""},
		{"a parameter twice", []string{"permessage-deflate; client_no_context_takeover; client_no_context_takeover"}, ""},
		{"a window twice", []string{"permessage-deflate; server_max_window_bits=10; server_max_window_bits=10"}, ""},
		{"a hint twice", []string{"permessage-deflate; client_max_window_bits; client_max_window_bits=10"}, ""},
		{"a value that must not be", []string{"permessage-deflate; server_no_context_takeover=1"}, ""},
		{"a value that must not be, of the client", []string{"permessage-deflate; client_no_context_takeover=true"}, ""},
		{"no window", []string{"permessage-deflate; server_max_window_bits"}, ""},
		{"a window that is too small", []string{"permessage-deflate; server_max_window_bits=7"}, ""},
		{"a window that is too large", []string{"permessage-deflate; server_max_window_bits=16"}, ""},
		{"a window with a leading zero", []string{"permessage-deflate; server_max_window_bits=08"}, ""},
		{"a window with a sign", []string{"permessage-deflate; server_max_window_bits=+9"}, ""},
		{"a window that is no number", []string{"permessage-deflate; server_max_window_bits=x"}, ""},
		{"a hint that is too large", []string{"permessage-deflate; client_max_window_bits=16"}, ""},
		{"a hint with a leading zero", []string{"permessage-deflate; client_max_window_bits=010"}, ""},
		{"another case", []string{"Permessage-Deflate"}, ""},
		{"a longer name", []string{"permessage-deflate2"}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			answer, status := negotiated(t, websocket.Compression{Enabled: true}, test.offers...)
			if answer != test.want || status != 101 {
				t.Errorf("got %d %q, want %q", status, answer, test.want)
			}
			if answer, status := negotiated(t, websocket.Compression{}, test.offers...); answer != "" || status != 101 {
				t.Errorf("got %d %q although compression is off", status, answer)
			}
		})
	}
}

// RFC 6455, section 9.1: what does not have the form fails the handshake.
func TestExtensionsInTheWrongForm(t *testing.T) {
	t.Parallel()
	tests := []string{
		";", "permessage-deflate;", "permessage-deflate; ;", "permessage-deflate; =8", "permessage-deflate; server_max_window_bits=",
		"permessage-deflate server_no_context_takeover", "permessage-deflate=1", `permessage-deflate; server_max_window_bits="10`,
		`permessage-deflate; server_max_window_bits=""`, `permessage-deflate; server_max_window_bits="1 0"`, `permessage-deflate; server_max_window_bits="10"x`,
		`permessage-deflate; server_max_window_bits=10"`, `"permessage-deflate"`, "permessage(deflate)", "permessage-deflate, foo; b=", "perm\xc3\xa9",
	}
	for _, offer := range tests {
		if answer, status := negotiated(t, websocket.Compression{Enabled: true}, offer); status != 400 {
			t.Errorf("%s: got %d %q, want 400", offer, status, answer)
		}
	}
}

// A list that is as long as it may be costs about as much as it is long.
func TestNegotiationOfManyOffers(t *testing.T) {
	t.Parallel()
	many := strings.Repeat(";client_max_window_bits", 500)
	offers := strings.Repeat("permessage-deflate"+many+",", 2) + "permessage-deflate"
	if answer, _ := negotiated(t, websocket.Compression{Enabled: true}, offers); answer == "" {
		t.Error("the last offer was not accepted")
	}
}

// Whatever is offered, the handshake is refused, or the answer is one that a client
// that offered it can accept.
func FuzzExtensions(f *testing.F) {
	f.Add("permessage-deflate; client_max_window_bits; server_max_window_bits=10, permessage-deflate")
	f.Add(`foo; bar="baz", permessage-deflate;server_no_context_takeover ;client_no_context_takeover`)
	f.Add(`permessage-deflate; server_max_window_bits="9"; x`)
	f.Fuzz(func(t *testing.T, offers string) {
		if _, err := protocol.NewHeaders(protocol.Fields{{Name: "a", Value: offers}}); err != nil {
			return
		}
		answer, status := negotiated(t, websocket.Compression{Enabled: true}, offers)
		switch {
		case status == 400 && answer == "":
		case status != 101:
			t.Fatalf("got %d", status)
		case answer == "":
		case !strings.Contains(offers, "permessage-deflate"), strings.Contains(answer, "_bits") && !strings.Contains(offers, "server_max_window_bits"):
			t.Fatalf("the answer to %q is %q", offers, answer)
		}
	})
}
