package communicator_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"testing/synctest"

	"github.com/portico-go/portico/communicator"
	"github.com/portico-go/portico/consumer"
	"github.com/portico-go/portico/protocol"
)

// What becomes of messages that a client does not read is what a server makes of them.
func TestQueueIsBounded(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		overflow protocol.Overflow
		want     []string // of "0" to "9", with the keys 0 and 1 in turn
		err      error
	}{
		"close as slow": {protocol.CloseSlow, []string{"0", "1", "2"}, protocol.ErrSlow},
		"drop newest":   {protocol.DropNewest, []string{"0", "1", "2"}, nil},
		"drop oldest":   {protocol.DropOldest, []string{"7", "8", "9"}, nil},
		"keep latest":   {protocol.KeepLatest, []string{"8", "9"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := communicator.WebSocket(t, protocol.OnOverflow(tt.overflow)(echo()), "/")
				m.Queue = 3
				if _, err := m.Connect(); err != nil {
					t.Fatal(err)
				}
				var err error
				for i := 0; i < 10 && err == nil; i++ {
					err = m.Conn().Send(&protocol.Message{Key: strconv.Itoa(i % 2), Data: []byte(strconv.Itoa(i))})
				}
				if !errors.Is(err, tt.err) {
					t.Fatalf("Send = %v, want %v", err, tt.err)
				}
				synctest.Wait()
				for _, want := range tt.want {
					if got, err := m.ReceiveText(); err != nil || got != want {
						t.Errorf("ReceiveText = %q, %v, want %s", got, err, want)
					}
				}
				if tt.err != nil {
					if closed, err := m.ReceiveClose(); err != nil || closed.Code != protocol.CloseTryAgainLater {
						t.Errorf("ReceiveClose = %+v, %v", closed, err)
					}
				}
			})
		})
	}
}

// A handler that waits for its client goes on as the test receives, and is told when
// the client is gone.
func TestSendContextWaitsForReceive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sent, done := 0, error(nil)
		app := &consumer.Messages[struct{}]{
			Receive: func(_ *struct{}, ctx context.Context, c *consumer.Conn, _ *protocol.Message) error {
				for ; done == nil; sent++ {
					done = c.SendContext(ctx, &protocol.Message{Data: []byte(strconv.Itoa(sent))})
				}
				return nil
			},
		}
		m := communicator.WebSocket(t, app, "/")
		m.Queue = 2
		if _, err := m.Connect(); err != nil {
			t.Fatal(err)
		}
		go func() { _ = m.SendText("go") }()
		for i := range 5 {
			synctest.Wait()
			if sent != i+2 {
				t.Fatalf("%d messages were sent when %d were received, want %d", sent, i, i+2)
			}
			if got, err := m.ReceiveText(); err != nil || got != strconv.Itoa(i) {
				t.Fatalf("ReceiveText = %q, %v", got, err)
			}
		}
		must(t, m.Break())
		if !errors.Is(done, protocol.ErrReset) && !errors.Is(done, protocol.ErrClosed) {
			t.Errorf("SendContext = %v", done)
		}
	})
}
