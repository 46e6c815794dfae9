package msgpack_test

import (
	"encoding/hex"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/layertest"
	"github.com/portico-go/portico/channellayer/msgpack"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestLayer(t *testing.T) {
	t.Parallel()
	var server layertest.Loopback
	layertest.Run(t, layertest.Backend{
		Codec:  msgpack.Codec{},
		Broker: func(*testing.T) channellayer.Broker { return server.Broker() },
		Stop:   func(*testing.T) { server.Stop() },
		Start:  func(*testing.T) { server.Start() },
	})
}

type inner struct {
	Text string         `json:"text,omitempty"`
	Map  map[string]any `json:"map"`
}

type outer struct {
	inner
	Number  int64     `json:"n"`
	Other   uint64    `json:"other" msgpack:"o"`
	Bytes   []byte    `json:"bytes"`
	When    time.Time `json:"when"`
	List    []inner   `json:"list"`
	Pointer *inner    `json:"pointer"`
	Hidden  string    `json:"-"`
	Ratio   float64
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	c := msgpack.Codec{}
	want := outer{
		inner:  inner{Text: "é \x00", Map: map[string]any{"b": "x", "a": int64(-1), "f": 1.5}},
		Number: math.MinInt64, Other: math.MaxUint64, Bytes: []byte{0, 255}, When: time.Unix(1234567890, 987654321),
		List: []inner{{Text: strings.Repeat("long", 20000)}, {}}, Pointer: &inner{}, Ratio: math.Pi,
	}
	data, err := c.Encode(want)
	if err != nil {
		t.Fatal(err)
	}
	var got outer
	if err := c.Decode(data, &got); err != nil {
		t.Fatal(err)
	}
	if !got.When.Equal(want.When) {
		t.Errorf("got %v, want %v", got.When, want.When)
	}
	got.When = want.When
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for range 20 {
		if again, err := c.Encode(want); err != nil || string(again) != string(data) {
			t.Fatalf("equal values have different bytes (%v)", err)
		}
	}
}

func TestBytes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		value any
		want  string
	}{
		{int64(1), "01"},
		{-1, "ff"},
		{300, "cd012c"},
		{[]byte{1}, "c40101"},
		{"hi", "a26869"},
		{outer{Hidden: "x"}.inner, "81a36d6170c0"},
		{map[string]bool{"z": true, "a": false}, "82a161c2a17ac3"},
	} {
		got, err := msgpack.Codec{}.Encode(tt.value)
		if err != nil || hex.EncodeToString(got) != tt.want {
			t.Errorf("%v: got %x, %v; want %s", tt.value, got, err, tt.want)
		}
	}
}

// What cannot travel is an error of the send, and nobody gets anything.
func TestErrorsOfTheSend(t *testing.T) {
	t.Parallel()
	hub, err := channellayer.New(channellayer.Config{Codec: msgpack.Codec{}})
	if err != nil {
		t.Fatal(err)
	}
	defer hub.Close()
	var deep any
	for range msgpack.MaxDepth {
		deep = []any{deep}
	}
	for name, value := range map[string]any{
		"a function": func() {}, "a channel": make(chan int), "one inside": map[string]any{"x": []any{make(chan int)}}, "too deep": deep,
	} {
		d, err := hub.GroupSend(t.Context(), "g", channellayer.Event{Type: "t", Value: value})
		if err == nil || !strings.Contains(err.Error(), `channellayer: encode "t": msgpack: `) {
			t.Errorf("%s: %+v, %v; want an error that names the event and the codec", name, d, err)
		}
	}
}

func TestErrorsOfDecode(t *testing.T) {
	t.Parallel()
	nested := strings.Repeat("91", msgpack.MaxDepth) + "c0"
	for _, tt := range []struct{ data, want string }{
		{"", "cut off"},
		{"a5686900", "cut off"},
		{"c0c0", "1 bytes follow"},
		{"c1", "0xc1"},
		{"ddffffffff", "cut off"},
		{"dfffffffff00", "cut off"},
		{"c6ffffffff", "cut off"},
		{"c70a", "cut off"},
		{"9f", "cut off"},
		{"cd00", "cut off"},
		{nested, "256 deep"},
		{strings.Repeat("91", 1<<20), "256 deep"},
		{"a26869", "msgpack:"}, // text for a number
	} {
		data, err := hex.DecodeString(tt.data)
		if err != nil {
			t.Fatal(err)
		}
		var n int
		if err := (msgpack.Codec{}).Decode(data, &n); err == nil || !strings.HasPrefix(err.Error(), "msgpack: ") || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.40s: got %v, want %q", tt.data, err, tt.want)
		}
	}
}

// The dictionary, the bytes and the way back are those of the suite for Redis.
func TestP10_Serialize(t *testing.T) {
	t.Parallel()
	value := map[string]any{"a": true, "b": nil, "c": map[string]any{"d": []any{}}}
	data, err := msgpack.Codec{}.Encode(value)
	if err != nil || hex.EncodeToString(data) != "83a161c3a162c0a16381a16490" {
		t.Errorf("got %x, %v", data, err)
	}
	var got map[string]any
	if err := (msgpack.Codec{}).Decode(data, &got); err != nil || !reflect.DeepEqual(got, value) {
		t.Errorf("got %v, %v; want %v", got, err, value)
	}
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		"83a161c3a162c0a16381a16490", "92cd012cd3ffffffffffffffff", "c403000102", "d6ff00000000", "c70cff000000000000000000000000", "dc000100", "de0001a16100", "cb3ff0000000000000",
	} {
		data, _ := hex.DecodeString(seed)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var codec msgpack.Codec
		var typed outer
		_ = codec.Decode(data, &typed)
		var any1 any
		if err := codec.Decode(data, &any1); err != nil {
			return
		}
		again, err := codec.Encode(any1)
		if err != nil {
			t.Fatalf("%x became %v, which cannot be encoded: %v", data, any1, err)
		}
		var any2 any
		if err := codec.Decode(again, &any2); err != nil || fmt.Sprint(any1) != fmt.Sprint(any2) {
			t.Fatalf("%v became %v, %v", any1, any2, err)
		}
	})
}
