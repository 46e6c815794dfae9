package channellayer_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/portico-go/portico/channellayer"
)

func TestPosition(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]channellayer.Position{
		"":                            {},
		"AB7.0":                       {Epoch: "AB7"},
		"AB7.18.x9":                   {Epoch: "AB7", Offset: 18, Tag: "x9"},
		"a.18446744073709551615.TAG1": {Epoch: "a", Offset: 1<<64 - 1, Tag: "TAG1"},
	} {
		got, err := channellayer.ParsePosition(text)
		if err != nil || got != want || got.String() != text || got.IsZero() != (text == "") {
			t.Errorf("%q: got %+v (%q), %v; expected %+v", text, got, got, err, want)
		}
	}
	for _, text := range []string{
		".", "a", "a.", "a.1", "a.1.", "a.0.b", "a.00", "a.01.b", "a.-1.b", "a.+1.b", "a.1e3.b", "a.18446744073709551616.b", "a.1.b.c", "a.1.b\n",
		" a.1.b", "a-.1.b", "é.1.b", "a.1.b_", ".1.b", strings.Repeat("a", 33) + ".1.b", "a.1." + strings.Repeat("b", 33), strings.Repeat("a", 10_000),
	} {
		_, err := channellayer.ParsePosition(text)
		if !errors.Is(err, channellayer.ErrPosition) || strings.Contains(err.Error(), text) && len(text) > 4 {
			t.Errorf("%q: got %v, expected ErrPosition without the text", text, err)
		}
	}
	var v struct{ At channellayer.Position }
	if err := json.Unmarshal([]byte(`{"At":"a.5.b"}`), &v); err != nil || v.At.Offset != 5 {
		t.Errorf("from JSON: %+v, %v", v, err)
	}
	if err := json.Unmarshal([]byte(`{"At":"nonsense"}`), &v); !errors.Is(err, channellayer.ErrPosition) || v.At.Offset != 5 {
		t.Errorf("from bad JSON: %+v, %v", v, err)
	}
	if out, err := json.Marshal(v); err != nil || string(out) != `{"At":"a.5.b"}` {
		t.Errorf("to JSON: %s, %v", out, err)
	}
}

func FuzzPosition(f *testing.F) {
	for _, s := range []string{"", "a.0", "ABCDEFGHIJKLM.7.NOPQRSTUVWXYZ", "a.1.b", "a..b", "a.18446744073709551615.b", "\xff.1.b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := channellayer.ParsePosition(s)
		if err != nil {
			if !errors.Is(err, channellayer.ErrPosition) || p != (channellayer.Position{}) {
				t.Fatalf("%q: %+v, %v", s, p, err)
			}
			return
		}
		if p.String() != s {
			t.Fatalf("%q was read as %+v, which is %q", s, p, p)
		}
	})
}
