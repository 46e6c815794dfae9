package channellayer_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/portico-go/portico/channellayer"
)

// counting is JSON that counts.
type counting struct{ encoded, decoded atomic.Int32 }

func (c *counting) Encode(v any) ([]byte, error) {
	c.encoded.Add(1)
	return json.Marshal(v)
}

func (c *counting) Decode(data []byte, v any) error {
	c.decoded.Add(1)
	return json.Unmarshal(data, v)
}

type said struct{ From, Text string }

func TestOneEncodeOneDecodeOneRendering(t *testing.T) {
	t.Parallel()
	codec := &counting{}
	h := newHub(t, channellayer.Config{Codec: codec})
	var subs []*channellayer.Subscription
	for i := range 50 {
		subs = append(subs, subscribe(t, h, fmt.Sprint(i), "g"))
	}
	if _, err := h.Broadcast(t.Context(), "g", channellayer.Event{Type: "said", Value: said{"alice", "hi"}}); err != nil {
		t.Fatal(err)
	}
	var lines, frames atomic.Int32
	var wg sync.WaitGroup
	for _, s := range subs {
		m, _ := s.Next()
		wg.Go(func() {
			frame, err := channellayer.Rendering(m, "frame", func() ([]byte, error) {
				frames.Add(1)
				line, err := channellayer.Rendering(m, "line", func() ([]byte, error) { // one rendering may use another
					lines.Add(1)
					v, err := channellayer.Value[said](m)
					return []byte("<" + v.From + "> " + v.Text), err
				})
				return append([]byte("frame:"), line...), err
			})
			if err != nil || string(frame) != "frame:<alice> hi" {
				t.Errorf("got %q, %v", frame, err)
			}
			if _, err := channellayer.Value[map[string]string](m); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if lines.Load() != 1 || frames.Load() != 1 || codec.encoded.Load() != 1 || codec.decoded.Load() != 2 { // two types
		t.Errorf("lines %d, frames %d, encoded %d, decoded %d", lines.Load(), frames.Load(), codec.encoded.Load(), codec.decoded.Load())
	}
}

func TestFirstReceiversRaceForOneRendering(t *testing.T) {
	t.Parallel()
	for range 5000 {
		m := &channellayer.Message{}
		var made, ready atomic.Int32
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				for ready.Add(1); ready.Load() < 2; { // as close together as can be
					runtime.Gosched()
				}
				_, _ = channellayer.Rendering(m, "line", func() ([]byte, error) {
					made.Add(1)
					return nil, nil
				})
			})
		}
		wg.Wait()
		if n := made.Load(); n != 1 {
			t.Fatalf("rendered %d times", n)
		}
	}
}

func TestValue(t *testing.T) {
	t.Parallel()
	h := newHub(t, channellayer.Config{})
	s := subscribe(t, h, "c")
	send(t, h, "c", 7)
	m, _ := s.Next()
	for range 2 {
		if _, err := channellayer.Value[said](m); err == nil {
			t.Error("a number became a struct")
		}
	}
	if v, err := channellayer.Value[any](m); err != nil || v != 7.0 {
		t.Errorf("got %v, %v", v, err)
	}
	if err := h.Send(t.Context(), "c", channellayer.Event{Type: "t"}); err != nil {
		t.Fatal(err)
	}
	m, _ = s.Next()
	if v, err := channellayer.Value[said](m); err != nil || v != (said{}) || len(m.Payload) != 0 {
		t.Errorf("no value: got %v, %v", v, err)
	}
	if v, err := channellayer.Value[any](m); err != nil || v != nil {
		t.Errorf("no value: got %v, %v", v, err)
	}
}

func TestRenderingRemembersFailure(t *testing.T) {
	t.Parallel()
	m := &channellayer.Message{}
	boom := errors.New("boom")
	for _, fails := range []error{boom, nil} { // the second is not asked
		if _, err := channellayer.Rendering(m, "a", func() ([]byte, error) { return nil, fails }); !errors.Is(err, boom) {
			t.Errorf("got %v", err)
		}
	}
	func() {
		defer func() { _ = recover() }()
		_, _ = channellayer.Rendering(m, "b", func() ([]byte, error) { panic("render") })
	}()
	if _, err := channellayer.Rendering(m, "b", func() ([]byte, error) { return nil, nil }); err == nil {
		t.Error("a rendering that panicked counts as made")
	}
}
