package channellayer_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/layertest"
)

// describe says what a subscription is, in pairs of key and value.
func describe(tb testing.TB, s *channellayer.Subscription, pairs ...string) {
	tb.Helper()
	m := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	if err := s.SetMetadata(m); err != nil {
		tb.Fatal(err)
	}
}

func TestWhere(t *testing.T) {
	t.Parallel()
	h := newHub(t, channellayer.Config{})
	members := map[string]*channellayer.Subscription{}
	for name, pairs := range map[string][]string{
		"admin":  {"role", "admin", "team", "blue"},
		"editor": {"role", "editor"},
		"empty":  {"role", ""},
		"silent": nil,
	} {
		members[name] = subscribe(t, h, name, "g")
		describe(t, members[name], pairs...)
	}
	where, not, all, either := channellayer.Where, channellayer.Not, channellayer.AllOf, channellayer.AnyOf
	tests := []struct {
		name    string
		options []channellayer.SendOption
		want    string
	}{
		{"no condition", nil, "admin editor empty silent"},
		{"one value", []channellayer.SendOption{where("role", "admin")}, "admin"},
		{"one of the values", []channellayer.SendOption{where("role", "admin", "", "else")}, "admin empty"},
		{"the key", []channellayer.SendOption{where("role")}, "admin editor empty"},
		{"a key of nobody", []channellayer.SendOption{where("rank")}, ""},
		{"case counts", []channellayer.SendOption{where("Role", "admin")}, ""},
		{"not", []channellayer.SendOption{not(where("role", "admin"))}, "editor empty silent"},
		{"not the key", []channellayer.SendOption{not(where("role"))}, "silent"},
		{"not not", []channellayer.SendOption{not(not(where("role", "admin")))}, "admin"},
		{"two options", []channellayer.SendOption{where("role"), not(where("team", "blue"))}, "editor empty"},
		{"all", []channellayer.SendOption{all(where("role", "admin"), where("team", "red"))}, ""},
		{"all of none", []channellayer.SendOption{all()}, "admin editor empty silent"},
		{"any", []channellayer.SendOption{either(where("team", "blue"), all(where("role"), not(where("role", "admin", ""))))}, "admin editor"},
		{"any of none", []channellayer.SendOption{either()}, ""},
		{"with except", []channellayer.SendOption{channellayer.Except("admin"), where("role")}, "editor empty"},
	}
	for i, tt := range tests {
		d := groupSend(t, h, "g", i, tt.options...)
		if want := len(strings.Fields(tt.want)); d.Delivered != want || d.Dropped != 0 {
			t.Errorf("%s: %+v, expected %d delivered", tt.name, d, want)
		}
		for name, s := range members {
			_, got := s.Next()
			if want := strings.Contains(" "+tt.want+" ", " "+name+" "); got != want {
				t.Errorf("%s: %s got the message: %v, expected %v", tt.name, name, got, want)
			}
		}
	}
}

func TestMetadataChanges(t *testing.T) {
	t.Parallel()
	h := newHub(t, channellayer.Config{})
	pull := subscribe(t, h, "a", "g", "h", "i") // it has groups and a Receive, which must stay
	push, err := h.Subscribe("b", func() {})
	if err != nil {
		t.Fatal(err)
	}
	join(t, push, "g")
	for _, s := range []*channellayer.Subscription{pull, push} {
		describe(t, s) // nothing, again
		entries := map[string]string{"role": "admin"}
		if err := s.SetMetadata(entries); err != nil {
			t.Fatal(err)
		}
		entries["role"] = "guest" // the map was copied
		groupSend(t, h, "g", 1, channellayer.Where("role", "admin"))
		expect(t, s, 1)
		describe(t, s, "team", "blue") // replaces all
		groupSend(t, h, "g", 2, channellayer.Where("role"))
		groupSend(t, h, "g", 3, channellayer.Where("team", "blue"))
		expect(t, s, 3)
		describe(t, s)
		groupSend(t, h, "g", 4, channellayer.Where("team"))
		expect(t, s)
		s.Close()
		if err := s.SetMetadata(entries); !errors.Is(err, channellayer.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	}
}

func TestMetadataLimits(t *testing.T) {
	t.Parallel()
	h := newHub(t, channellayer.Config{})
	s := subscribe(t, h, "a", "g")
	most := map[string]string{}
	for i := range channellayer.MaxMetadata {
		most[fmt.Sprint(i)] = strings.Repeat("v", channellayer.MaxMetadataValue)
	}
	if err := s.SetMetadata(most); err != nil {
		t.Fatal(err)
	}
	most["one more"] = ""
	for _, tt := range []struct {
		entries map[string]string
		want    error
	}{
		{most, channellayer.ErrTooLarge},
		{map[string]string{"k": strings.Repeat("v", channellayer.MaxMetadataValue+1)}, channellayer.ErrTooLarge},
		{map[string]string{"": "v"}, channellayer.ErrInvalidName},
		{map[string]string{"a\nb": "v"}, channellayer.ErrInvalidName},
	} {
		if err := s.SetMetadata(tt.entries); !errors.Is(err, tt.want) {
			t.Errorf("%d entries: got %v, expected %v", len(tt.entries), err, tt.want)
		}
	}
	if d := groupSend(t, h, "g", 1, channellayer.Where("15")); d.Delivered != 1 {
		t.Errorf("%+v: an error must change nothing", d)
	}
}

func TestConditionLimits(t *testing.T) {
	t.Parallel()
	h := newHub(t, channellayer.Config{})
	s := subscribe(t, h, "a", "g")
	is := channellayer.Where("k", "v") // two terms
	many := make([]channellayer.Condition, channellayer.MaxTerms/2)
	for i := range many {
		many[i] = is
	}
	deep := func(n int) channellayer.Condition {
		c := is
		for range n {
			c = channellayer.Not(c)
		}
		return c
	}
	wide := is
	for range 40 {
		wide = channellayer.AllOf(wide, wide)
	}
	for _, tt := range []struct {
		name    string
		options []channellayer.SendOption
		want    error
		text    string
	}{
		{"deep enough", []channellayer.SendOption{deep(8)}, nil, ""},
		{"too deep", []channellayer.SendOption{deep(9)}, channellayer.ErrTooLarge, "8 deep"},
		{"many", []channellayer.SendOption{channellayer.AnyOf(many[1:]...)}, nil, ""},
		{"too many", []channellayer.SendOption{channellayer.AnyOf(many...)}, channellayer.ErrTooLarge, "more than 64"},
		{"too many in two", []channellayer.SendOption{channellayer.AllOf(many[1:]...), is}, channellayer.ErrTooLarge, "more than 64"},
		{"values", []channellayer.SendOption{channellayer.Where("k", make([]string, 63)...)}, nil, ""},
		{"too many values", []channellayer.SendOption{channellayer.Where("k", make([]string, 64)...)}, channellayer.ErrTooLarge, "more than 64"},
		{"too long", []channellayer.SendOption{channellayer.Where("k", strings.Repeat("v", channellayer.MaxHeaderValue))}, channellayer.ErrTooLarge, "where"},
		{"beyond all bounds", []channellayer.SendOption{wide}, channellayer.ErrTooLarge, "where"},
		{"no key", []channellayer.SendOption{channellayer.Where("", "v")}, channellayer.ErrInvalidName, "metadata key"},
		{"zero", []channellayer.SendOption{channellayer.Condition{}}, nil, `'\x00' is no condition`},
		{"zero inside", []channellayer.SendOption{channellayer.Not(channellayer.Condition{})}, nil, `'\x00' is no condition`},
	} {
		_, err := h.GroupSend(t.Context(), "g", event(1), tt.options...)
		if (err == nil) != (tt.text == "") || tt.want != nil && !errors.Is(err, tt.want) || err != nil && !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: got %v, expected %v that says %q", tt.name, err, tt.want, tt.text)
		}
	}
	expect(t, s) // k has nobody
}

// The form of conditions on their way must never change.
func TestConditionBytes(t *testing.T) {
	t.Parallel()
	h := newHub(t, channellayer.Config{})
	s := subscribe(t, h, "a", "g")
	describe(t, s, "role", "admin")
	c := channellayer.AllOf(channellayer.Where("role", "admin", "x"), channellayer.Not(channellayer.AnyOf(channellayer.Where("team"))))
	groupSend(t, h, "g", 1, c)
	m, ok := s.Next()
	if !ok {
		t.Fatal("no message")
	}
	const want = "&\x02=\x04role\x02\x05admin\x01x!|\x01=\x04team\x00"
	if got := m.Header.Get(channellayer.HeaderWhere); got != want {
		t.Errorf("got %q, expected %q", got, want)
	}
	byHand := channellayer.Event{Type: "t", Value: 2, Header: channellayer.Header{{Key: "where", Value: want}}}
	if d, err := h.GroupSend(t.Context(), "g", byHand); err != nil || d.Delivered != 1 {
		t.Errorf("written by hand: %+v, %v", d, err)
	}
}

// What cannot be read may have been meant for few: nobody gets it, neither from here nor from another node.
func TestBadConditions(t *testing.T) {
	t.Parallel()
	b := &stubborn{Broker: new(layertest.Loopback).Broker()}
	h := newHub(t, channellayer.Config{Broker: b})
	s := subscribe(t, h, "a", "g")
	describe(t, s, "k", "v")
	for i, text := range []string{
		"", "?", "=", "=\x01", "=\x01k", "=\x01k\x01", "=\x01k\x01\x02v", "=\x81\x00k\x00", "=\x01k\x00 ", "=\x01\x00\x00", "!", "!!", "&", "&\x02=\x01k\x00",
		"&\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "|\xff\x3f", "=\x01k\xff\x3f", "=\xff\x3fk\x00", strings.Repeat("!", 1000),
	} {
		ev := channellayer.Event{Type: "t", Header: channellayer.Header{{Key: channellayer.HeaderWhere, Value: text}}}
		if d, err := h.GroupSend(t.Context(), "g", ev); err == nil || !strings.HasPrefix(err.Error(), "channellayer: ") {
			t.Errorf("%q: %+v, %v, expected an error", text, d, err)
		}
		wire := &channellayer.Message{Type: "t", Header: append(channellayer.Header{{Key: "portico-node", Value: "another"}}, ev.Header...)}
		b.receiver.Message("g.g", channellayer.AppendEnvelope(nil, wire))
		if st := h.Stats(); st.Delivered != 0 || st.Stray != uint64(i+1) {
			t.Errorf("%q of another node: %+v", text, st)
		}
	}
	expect(t, s)
}

func FuzzCondition(f *testing.F) {
	for _, seed := range []string{"3d0174017600", "2602" + "3d017400" + "213d01740101" + "76", "7c00", "21213d016b00", "26ff3f"} {
		data, _ := hex.DecodeString(seed)
		f.Add(data)
	}
	h := newHub(f, channellayer.Config{})
	s := subscribe(f, h, "a", "g")
	describe(f, s, "t", "v", "k", "")
	f.Fuzz(func(t *testing.T, data []byte) {
		ev := channellayer.Event{Type: "t", Header: channellayer.Header{{Key: channellayer.HeaderWhere, Value: string(data)}}}
		d, err := h.GroupSend(t.Context(), "g", ev)
		m, ok := s.Next()
		if ok != (d.Delivered == 1) || ok && err != nil {
			t.Fatalf("%+v, %v, and a message: %v", d, err, ok)
		}
		if err != nil {
			return
		}
		not := channellayer.Header{{Key: channellayer.HeaderWhere, Value: "!" + string(data)}}
		d, err = h.GroupSend(t.Context(), "g", channellayer.Event{Type: "t", Header: not})
		if err == nil && (d.Delivered == 1) == (m != nil) {
			t.Fatalf("%q and its opposite both hold, or neither", data)
		}
		s.Next()
	})
}
