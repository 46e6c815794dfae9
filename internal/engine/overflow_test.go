package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-go/portico/internal/engine"
	"github.com/portico-go/portico/protocol"
)

// drops returns how many messages were reported as dropped because of err.
func (o *observed) drops(err error) (n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i, kind := range o.kinds {
		if kind == "drop" && errors.Is(o.errs[i], err) {
			n++
		}
	}
	return n
}

// behind serves a connection whose peer has not read the message "0", and queues what
// comes behind it.
func behind(t *testing.T, app protocol.Application, h *handler, queue int) *peer {
	t.Helper()
	p := serve(t, app, lines{}, func(cfg *engine.Config) { cfg.MaxQueued = queue })
	p.want("ok")
	synctest.Wait()
	if err := h.conn.SendText("0"); err != nil {
		t.Fatal(err)
	}
	synctest.Wait() // "0" is being written
	return p
}

// keyed is a message of which only the latest with its key counts.
func keyed(key, text string) *protocol.Message {
	return &protocol.Message{Key: key, Data: []byte(text)}
}

// Of the messages with a key a client that is behind gets the latest of each, at the
// place where that was sent, and all without a key.
func TestKeepLatest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &handler{}
		p := behind(t, protocol.OnOverflow(protocol.KeepLatest)(h), h, 1000)
		for i := range 1000 { // far more than the queue holds
			for _, ev := range []*protocol.Message{keyed("a", fmt.Sprint("a", i)), keyed("b", fmt.Sprint("b", i))} {
				if err := h.conn.Send(ev); err != nil {
					t.Fatal(err)
				}
			}
			if i == 500 {
				_ = h.conn.SendText("half")
				_ = h.conn.Send(keyed("c", "c"))
			}
		}
		synctest.Wait()
		p.want("0", "half", "c", "a999", "b999")
		synctest.Wait()
		if replaced, slow := p.seen.drops(protocol.ErrReplaced), p.seen.drops(protocol.ErrSlow); replaced != 2*999 || slow != 0 {
			t.Errorf("%d messages reported as replaced, %d as too many, want 1998 and 0", replaced, slow)
		}
		_ = h.conn.Send(keyed("a", "then")) // nobody is behind any more
		p.want("then")
	})
}

// A client for which too much waits all the same is closed: nothing that nobody will
// send again is dropped.
func TestKeepLatestOfTooMuch(t *testing.T) {
	for name, next := range map[string]func(i int) *protocol.Message{
		"keys":        func(i int) *protocol.Message { return keyed(fmt.Sprint(i), strings.Repeat("x", 90)) },
		"without key": func(int) *protocol.Message { return keyed("", strings.Repeat("x", 90)) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &handler{}
				p := behind(t, protocol.OnOverflow(protocol.KeepLatest)(h), h, 1000)
				var err error
				n := 0
				for ; err == nil && n < 100; n++ {
					err = h.conn.Send(next(n))
				}
				if !errors.Is(err, protocol.ErrSlow) || n < 10 {
					t.Fatalf("Send = %v after %d messages, want ErrSlow when the queue is full", err, n)
				}
				<-p.served
				h.wantDisconnect(t, protocol.CloseTryAgainLater, protocol.ErrSlow)
			})
		})
	}
}

// What a message says of itself counts before what its connection says, and what must
// arrive is not dropped for what need not.
func TestOverflowOfAMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &handler{}
		p := behind(t, protocol.OnOverflow(protocol.DropNewest)(h), h, 100)
		send := func(o protocol.Overflow, text string) error {
			return h.conn.Send(&protocol.Message{Overflow: o, Data: []byte(text)})
		}
		for _, err := range []error{
			send(protocol.CloseSlow, strings.Repeat("must", 10)), // 41 bytes
			send(protocol.DropOldest, strings.Repeat("old", 10)), // 31
			send(protocol.DropOldest, strings.Repeat("new", 10)), // too many
			send(0, strings.Repeat("newest", 10)),                // too many
			send(protocol.DropOldest, strings.Repeat("big", 30)), // never enough room
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if n := p.seen.drops(protocol.ErrSlow); n != 3 {
			t.Errorf("%d drops reported, want 3", n)
		}
		if err := send(protocol.CloseSlow, strings.Repeat("must", 10)); !errors.Is(err, protocol.ErrSlow) {
			t.Errorf("Send = %v, want ErrSlow", err)
		}
		p.want("0", strings.Repeat("must", 10), strings.Repeat("new", 10), "close 1013 client too slow")
	})
}

// waitingMessage is one in the model of a queue.
type waitingMessage struct {
	text, key string
	overflow  protocol.Overflow
}

// expected is the simplest queue that does what an Overflow says.
type expected struct {
	queue          []waitingMessage
	replaced, lost int
}

func (e *expected) size() (n int) {
	for _, m := range e.queue {
		n += len(m.text) + 1
	}
	return n
}

func (e *expected) push(m waitingMessage, room int) {
	n := len(m.text) + 1
	if m.key != "" {
		i := slices.IndexFunc(e.queue, func(q waitingMessage) bool { return q.key == m.key })
		if i >= 0 {
			e.queue = slices.Delete(e.queue, i, i+1)
			e.replaced++
		}
	}
	kept, excess, dropped := []waitingMessage(nil), e.size()+n-room, 0
	for _, q := range e.queue {
		if excess > 0 && m.overflow == protocol.DropOldest && q.overflow == protocol.DropOldest {
			excess -= len(q.text) + 1
			dropped++
			continue
		}
		kept = append(kept, q)
	}
	if excess > 0 {
		e.lost++
		return
	}
	e.queue = append(kept, m)
	e.lost += dropped
}

// Whatever is sent to a client that does not read, the queue holds what the model of it
// holds.
func TestOverflowModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		rnd := rand.New(rand.NewPCG(seed, 1))
		for range 5 {
			const queue = 20_000
			h := &handler{}
			p := behind(t, h, h, queue)
			var want expected
			for i := range 1000 {
				m := waitingMessage{
					text:     fmt.Sprint(i, strings.Repeat("x", rnd.IntN(200))),
					overflow: protocol.DropNewest + protocol.Overflow(rnd.IntN(3)),
				}
				if m.overflow == protocol.KeepLatest {
					m.key = fmt.Sprint(rnd.IntN(20)) // so few that they fit
				}
				if want.size()+len("0\n")+len(m.text)+1 > queue && m.overflow == protocol.KeepLatest {
					continue // or the client is closed
				}
				want.push(m, queue-len("0\n"))
				if err := h.conn.Send(&protocol.Message{Overflow: m.overflow, Key: m.key, Data: []byte(m.text)}); err != nil {
					t.Fatal(err)
				}
			}
			synctest.Wait()
			p.want("0")
			for _, m := range want.queue {
				p.want(m.text)
			}
			_ = h.conn.Close(4000, "done")
			p.want("close 4000 done")
			if replaced, lost := p.seen.drops(protocol.ErrReplaced), p.seen.drops(protocol.ErrSlow); replaced != want.replaced || lost != want.lost {
				t.Fatalf("%d replaced and %d lost, want %d and %d", replaced, lost, want.replaced, want.lost)
			}
			_ = p.Close()
		}
	})
}

// A Send that waits goes on as the peer reads, also inside of a handler, and all of it
// arrives.
func TestSendContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &handler{}
		h.message = func(ctx context.Context, _ string) error {
			for i := range 100 {
				if err := h.conn.SendContext(ctx, &protocol.Message{Data: fmt.Appendf(nil, "%d %s", i, strings.Repeat("x", 300))}); err != nil {
					return err
				}
			}
			return h.conn.SendText("end")
		}
		p := serve(t, protocol.OnOverflow(protocol.DropOldest)(h), lines{}, func(cfg *engine.Config) { cfg.MaxQueued = 1000 })
		p.want("ok")
		p.send("go\n")
		synctest.Wait() // it waits
		for i := range 100 {
			p.want(fmt.Sprintf("%d %s", i, strings.Repeat("x", 300)))
			time.Sleep(time.Second)
		}
		p.want("end")
		if p.seen.has("drop") {
			t.Error("something was dropped")
		}
	})
}

// A Send that waits ends with its context and with its connection.
func TestSendContextEnds(t *testing.T) {
	cause := errors.New("enough")
	for name, c := range map[string]struct {
		end  func(p *peer, h *handler, cancel context.CancelCauseFunc)
		want error
	}{
		"context":       {func(_ *peer, _ *handler, cancel context.CancelCauseFunc) { cancel(cause) }, cause},
		"close":         {func(_ *peer, h *handler, _ context.CancelCauseFunc) { _ = h.conn.Close(4000, "") }, protocol.ErrClosed},
		"hang-up":       {func(p *peer, _ *handler, _ context.CancelCauseFunc) { _ = p.Close() }, protocol.ErrClosed},
		"shutdown":      {func(p *peer, _ *handler, _ context.CancelCauseFunc) { p.engine.Drain(time.Second) }, protocol.ErrClosed},
		"write timeout": {func(*peer, *handler, context.CancelCauseFunc) {}, protocol.ErrClosed},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &handler{}
				p := behind(t, h, h, 1000)
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				done := make(chan error, 1)
				go func() {
					for {
						if err := h.conn.SendContext(ctx, &protocol.Message{Data: make([]byte, 400)}); err != nil {
							done <- err
							return
						}
					}
				}()
				synctest.Wait()
				if len(done) > 0 {
					t.Fatalf("SendContext = %v, want it to wait", <-done)
				}
				c.end(p, h, cancel)
				if err := <-done; !errors.Is(err, c.want) {
					t.Errorf("SendContext = %v, want %v", err, c.want)
				}
			})
		})
	}
}

// Events that are not messages are sent as by Send, and states are checked.
func TestSendContextIsSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &handler{}
		h.connect = func(ctx context.Context) error {
			if _, ok := errors.AsType[*protocol.StateError](h.conn.SendContext(ctx, &protocol.Message{})); !ok {
				t.Error("a message before the accept is no StateError")
			}
			return h.conn.SendContext(ctx, &protocol.Accept{})
		}
		p := serve(t, h, lines{})
		p.want("ok")
		synctest.Wait()
		if err := h.conn.SendContext(t.Context(), &protocol.Close{Code: 4000, Reason: "x"}); err != nil {
			t.Fatal(err)
		}
		p.want("close 4000 x")
		if err := h.conn.SendContext(t.Context(), &protocol.Message{}); !errors.Is(err, protocol.ErrClosed) {
			t.Errorf("SendContext = %v, want ErrClosed", err)
		}
	})
}
