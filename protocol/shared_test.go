package protocol_test

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/portico-go/portico/protocol"
)

// quoted returns an encoding that counts how often it is made.
func quoted(calls *atomic.Int32) func([]byte, *protocol.Message) ([]byte, error) {
	return func(dst []byte, m *protocol.Message) ([]byte, error) {
		calls.Add(1)
		return append(append(append(dst, '"'), m.Data...), '"'), nil
	}
}

func TestSharedMessageIsEncodedOnce(t *testing.T) {
	t.Parallel()
	for range 200 {
		var calls, others atomic.Int32
		m := protocol.SharedMessage(false, []byte("hi"))
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				got, err := m.AppendEncoding([]byte("> "), "quoted", quoted(&calls))
				if err != nil || string(got) != `> "hi"` {
					t.Errorf("got %q, %v", got, err)
				}
				got, err = m.AppendEncoding(nil, "upper", func(dst []byte, m *protocol.Message) ([]byte, error) {
					others.Add(1)
					return append(dst, strings.ToUpper(string(m.Data))...), nil
				})
				if err != nil || string(got) != "HI" {
					t.Errorf("got %q, %v", got, err)
				}
			})
		}
		wg.Wait()
		if calls.Load() != 1 || others.Load() != 1 {
			t.Fatalf("encoded %d and %d times", calls.Load(), others.Load())
		}
	}
}

// What one connection does with the bytes it got must not reach another.
func TestSharedEncodingIsCopied(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	m := protocol.SharedMessage(true, []byte("hi"))
	for range 2 {
		got, err := m.AppendEncoding(nil, "quoted", quoted(&calls))
		if err != nil || string(got) != `"hi"` || !m.Binary {
			t.Fatalf("got %q, %v", got, err)
		}
		clear(got)
	}
}

func TestOtherMessagesAreEncodedEachTime(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	m := &protocol.Message{Data: []byte("a")}
	for _, want := range []string{`"a"`, `"b"`} {
		got, err := m.AppendEncoding(nil, "quoted", quoted(&calls))
		if err != nil || string(got) != want {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
		m.Data = []byte("b") // its owner may use it again
	}
}

// A message that cannot be encoded is an error for all, and appends nothing.
func TestSharedEncodingFails(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	m := protocol.SharedMessage(false, nil)
	for range 2 {
		got, err := m.AppendEncoding([]byte("> "), "a", func(dst []byte, _ *protocol.Message) ([]byte, error) {
			return append(dst, "half of it"...), boom
		})
		if !errors.Is(err, boom) || string(got) != "> " {
			t.Errorf("got %q, %v", got, err)
		}
	}
	func() {
		defer func() { _ = recover() }()
		_, _ = m.AppendEncoding(nil, "b", func([]byte, *protocol.Message) ([]byte, error) { panic("codec") })
	}()
	if got, err := m.AppendEncoding(nil, "b", quoted(new(atomic.Int32))); err == nil || len(got) > 0 {
		t.Errorf("after a panic: %q, %v", got, err)
	}
}
