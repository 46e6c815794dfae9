package consumer_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-go/portico/communicator"
	"github.com/portico-go/portico/consumer"
	"github.com/portico-go/portico/protocol"
)

func pullEcho(ctx context.Context, c *consumer.PullConn) error {
	if err := c.Accept("", nil); err != nil {
		return err
	}
	for {
		m, err := c.Receive(ctx)
		if err != nil {
			return err
		}
		if string(m.Data) == "bye" {
			return nil
		}
		if err := c.Send(m); err != nil {
			return err
		}
	}
}

func TestPullKeepsOrderAndHoldsBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := connect(t, consumer.Pull(func(ctx context.Context, c *consumer.PullConn) error {
			must(t, c.Accept("", nil))
			for {
				msg, err := c.Receive(ctx)
				if err != nil {
					return err
				}
				time.Sleep(time.Minute) // the next is not taken before
				if err := c.Send(msg); err != nil {
					return err
				}
			}
		}), "/")
		m.Timeout = time.Hour
		begin := time.Now()
		for _, text := range []string{"one", "two"} {
			must(t, m.SendText(text))
		}
		if took := time.Since(begin); took != 2*time.Minute {
			t.Errorf("two messages were handled after %v, want 2m: Handle returns at the next Receive", took)
		}
		for _, want := range []string{"one", "two"} {
			if got, err := m.ReceiveText(); err != nil || got != want {
				t.Errorf("ReceiveText = %q, %v, want %q", got, err, want)
			}
		}
		must(t, m.Disconnect(protocol.CloseNormal))
	})
}

func TestPullEnds(t *testing.T) {
	t.Parallel()
	oops := errors.New("oops")
	tests := []struct {
		name  string
		run   consumer.Pull
		end   func(t *testing.T, m *communicator.Messages)
		fails error
	}{
		{"returning nil closes", pullEcho, func(t *testing.T, m *communicator.Messages) {
			t.Helper()
			must(t, m.SendText("bye"))
			if ev, err := m.ReceiveClose(); err != nil || ev.Code != protocol.CloseNormal {
				t.Errorf("ReceiveClose = %+v, %v", ev, err)
			}
		}, nil},
		{"the peer closes", pullEcho, func(t *testing.T, m *communicator.Messages) {
			t.Helper()
			must(t, m.Disconnect(4001))
		}, nil},
		{"the connection breaks", pullEcho, func(t *testing.T, m *communicator.Messages) {
			t.Helper()
			must(t, m.Break())
		}, nil},
		{"an error", func(ctx context.Context, c *consumer.PullConn) error {
			must(t, c.Accept("", nil))
			_, err := c.Receive(ctx)
			return errors.Join(oops, err)
		}, func(t *testing.T, m *communicator.Messages) {
			t.Helper()
			_ = m.SendText("x")
			if ev, _ := m.ReceiveClose(); ev == nil || ev.Code != protocol.CloseInternalError {
				t.Errorf("ReceiveClose = %+v", ev)
			}
		}, oops},
		{"between two events", func(ctx context.Context, c *consumer.PullConn) error {
			must(t, c.Accept("", nil))
			ctx, cancel := context.WithTimeoutCause(ctx, time.Second, oops)
			defer cancel()
			_, err := c.Receive(ctx)
			return err
		}, func(t *testing.T, m *communicator.Messages) {
			t.Helper()
			m.Timeout = time.Minute
			if ev, _ := m.ReceiveClose(); ev == nil || ev.Code != protocol.CloseInternalError {
				t.Errorf("ReceiveClose = %+v", ev)
			}
		}, oops},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := connect(t, tt.run, "/")
				tt.end(t, m)
				if err := m.Wait(); !errors.Is(err, tt.fails) {
					t.Errorf("Wait = %v, want %v", err, tt.fails)
				}
			})
		})
	}
}

func TestPullPanics(t *testing.T) {
	t.Parallel()
	_, err := communicator.WebSocket(t, consumer.Pull(func(context.Context, *consumer.PullConn) error {
		panic("oops")
	}), "/").Connect()
	if p, ok := errors.AsType[*protocol.PanicError](err); !ok || p.Value != "oops" {
		t.Errorf("Connect = %v, want the panic", err)
	}
}

func TestPullRefuses(t *testing.T) {
	t.Parallel()
	_, err := communicator.WebSocket(t, consumer.Pull(func(context.Context, *consumer.PullConn) error {
		return protocol.Rejectf(401, "who are you?")
	}), "/").Connect()
	if r, ok := errors.AsType[*protocol.Reject](err); !ok || r.Status != 401 {
		t.Errorf("Connect = %v, want 401", err)
	}
}
