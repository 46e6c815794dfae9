package channellayer_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-go/portico/channellayer"
)

// More of the cases that channels_redis tests its layers with: those that have to do with the hub alone.

func TestK21_ExpiryOfGroupSends(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, channellayer.Config{Expiry: 3 * time.Second})
		s := subscribe(t, h, "c", "g")
		groupSend(t, h, "g", 1)
		time.Sleep(2 * time.Second)
		groupSend(t, h, "g", 2)
		groupSend(t, h, "g", 3)
		time.Sleep(time.Second)
		expect(t, s, 2, 3)
		for n := range 3 {
			groupSend(t, h, "g", n)
		}
		time.Sleep(time.Second)
		expect(t, s, 0, 1, 2)
	})
}

func TestK24_TheNewestAreKept(t *testing.T) {
	t.Parallel()
	h := newHub(t, channellayer.Config{Overflow: channellayer.DropOldest})
	s := subscribe(t, h, "c")
	for n := range 10_000 {
		send(t, h, "c", n)
	}
	want := make([]int, channellayer.DefaultCapacity)
	for i := range want {
		want[i] = 10_000 - len(want) + i
	}
	expect(t, s, want...)
}

// In theirs each event loop has a client of its own. Here there are goroutines, and one hub for all.
func TestK16_SendsOfAnyGoroutine(t *testing.T) {
	t.Parallel()
	h := newHub(t, channellayer.Config{})
	s := subscribe(t, h, "c", "g")
	for n := range 5 {
		done := make(chan error)
		go func() {
			_, err := h.GroupSend(context.Background(), "g", event(n))
			done <- err
		}()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	expect(t, s, 0, 1, 2, 3, 4)
}

// A codec of one's own is two methods.
type noop struct{}

func (noop) Encode(v any) ([]byte, error) {
	data, ok := v.([]byte)
	if !ok {
		return nil, fmt.Errorf("noop: %T is no []byte", v)
	}
	return slices.Clone(data), nil
}

func (noop) Decode(data []byte, v any) error {
	*v.(*[]byte) = slices.Clone(data)
	return nil
}

func TestZ3_OwnCodec(t *testing.T) {
	t.Parallel()
	h := newHub(t, channellayer.Config{Codec: noop{}})
	s := subscribe(t, h, "c")
	if err := h.Send(t.Context(), "c", channellayer.Event{Type: "t", Value: []byte{0, 255}}); err != nil {
		t.Fatal(err)
	}
	m, _ := s.Next()
	if v, err := channellayer.Value[[]byte](m); err != nil || !bytes.Equal(v, []byte{0, 255}) || !bytes.Equal(m.Payload, v) {
		t.Errorf("got %v, %v", v, err)
	}
	if err := h.Send(t.Context(), "c", event(1)); err == nil {
		t.Error("a value that the codec refuses is no error of the send")
	}
}

// A sealed codec encrypts what another encodes: whoever reads the broker's traffic learns nothing of it, and nobody changes it.
type sealed struct {
	channellayer.Codec
	aead cipher.AEAD
}

func (c sealed) Encode(v any) ([]byte, error) {
	clear, err := c.Codec.Encode(v)
	if err != nil {
		return nil, err
	}
	return c.aead.Seal(nil, nil, clear, nil), nil
}

func (c sealed) Decode(data []byte, v any) error {
	clear, err := c.aead.Open(nil, nil, data, nil)
	if err != nil {
		return err
	}
	return c.Codec.Decode(clear, v)
}

func TestZ5_EncryptingCodec(t *testing.T) {
	t.Parallel()
	codec := func() sealed {
		key := make([]byte, 32)
		_, _ = rand.Read(key)
		block, err := aes.NewCipher(key)
		if err != nil {
			t.Fatal(err)
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			t.Fatal(err)
		}
		return sealed{channellayer.JSON{}, aead}
	}
	ours, theirs := codec(), codec()
	h := newHub(t, channellayer.Config{Codec: ours})
	s := subscribe(t, h, "c")
	if err := h.Send(t.Context(), "c", channellayer.Event{Type: "t", Value: said{"alice", "a secret"}}); err != nil {
		t.Fatal(err)
	}
	m, _ := s.Next()
	if bytes.Contains(m.Payload, []byte("secret")) {
		t.Errorf("it can be read: %q", m.Payload)
	}
	if v, err := channellayer.Value[said](m); err != nil || v != (said{"alice", "a secret"}) {
		t.Errorf("got %v, %v", v, err)
	}
	var v said
	if err := theirs.Decode(m.Payload, &v); err == nil {
		t.Error("another key opens it")
	}
	m.Payload[len(m.Payload)-1] ^= 1
	if err := ours.Decode(m.Payload, &v); err == nil || errors.Is(err, channellayer.ErrClosed) {
		t.Errorf("a change is not noticed: %v", err)
	}
}
