package engine

import (
	"time"

	"github.com/portico-go/portico/internal/stack"
	"github.com/portico-go/portico/internal/wheel"
	"github.com/portico-go/portico/protocol"
)

// tick is how coarse deadlines are: they are up to two ticks late, and never early.
const tick = 50 * time.Millisecond

// A moment is a time in ticks since the engine was made, in four bytes of each
// connection. 0 is none.
type moment uint32

func (e *Engine) now() moment { return moment(time.Since(e.epoch)/tick) + 1 }

// in returns the first moment that is at least d away.
func (e *Engine) in(d time.Duration) moment { return e.at(time.Now().Add(d)) }

// at returns the first moment that is not before t.
func (e *Engine) at(t time.Time) moment { return moment((t.Sub(e.epoch)+tick-1)/tick) + 1 }

// plus returns the moment d behind m.
func (m moment) plus(d time.Duration) moment { return m + moment((d+tick-1)/tick) }

// deadlines are a stream's, guarded by its lock. They share one timer, which is set
// to the first of them, or still to an earlier one that was lifted: then it looks
// again when it fires.
type deadlines struct {
	armed    moment // what timer is set to
	limit    moment // of the handshake, of the close, of lingering
	stuck    moment // for a handler to return
	pong     moment // for a sign of life, when one was asked for
	lifetime moment // of the connection
	heard    moment // when something came last
	active   moment // when a message came last
}

// A timer is a stream's place on the wheel.
type timer = wheel.Timer[*Stream]

var _ wheel.Owner = (*Stream)(nil)

// first returns the first deadline, or 0. s.mu is held.
func (s *Stream) first() moment {
	var first moment
	for _, m := range [...]moment{s.limit, s.stuck, s.pong, s.lifetime, s.pingAt(), s.idleAt(), s.writtenBy()} {
		if m != 0 && (first == 0 || m < first) {
			first = m
		}
	}
	return first
}

// pingAt returns when to ask for a sign of life. s.mu is held.
func (s *Stream) pingAt() moment {
	c, ok := s.codec.(protocol.PingAnswerer)
	if !ok || s.engine.cfg.PingInterval < 0 || !s.open || s.closing || s.pong != 0 || !c.AnswersPing() {
		return 0
	}
	return s.heard.plus(s.engine.cfg.PingInterval)
}

// idleAt returns when the peer has said nothing for too long. s.mu is held.
func (s *Stream) idleAt() moment {
	if s.engine.cfg.IdleTimeout <= 0 || !s.open || s.closing {
		return 0
	}
	return s.active.plus(s.engine.cfg.IdleTimeout)
}

// writtenBy returns when the oldest byte that waits must be out. s.mu is held.
func (s *Stream) writtenBy() moment {
	if s.out == nil || s.out.since == 0 {
		return 0
	}
	return s.out.since.plus(s.engine.cfg.WriteTimeout)
}

// arm sees to it that the timer fires at the first deadline. s.mu is held.
func (s *Stream) arm() {
	first := s.first()
	if first == 0 || s.armed != 0 && s.armed <= first {
		return
	}
	s.armed = first
	wait := time.Duration(first-1)*tick - time.Since(s.engine.epoch)
	s.engine.wheel.Set(&s.timer, max(wait, 0), s)
}

// disarm stops the timer. s.mu is held.
func (s *Stream) disarm() {
	s.engine.wheel.Stop(&s.timer)
	s.armed = 0
}

// ping is sent to all: it is never changed.
var ping = &protocol.Ping{}

// due says which deadlines have passed.
type due struct{ limit, stuck, slow, silent, ping, idle, old bool }

// Expire implements wheel.Owner.
func (s *Stream) Expire() {
	s.mu.Lock()
	d := s.lift(s.engine.now())
	s.arm()
	lingering, closing := s.lingering, s.closing
	s.mu.Unlock()

	switch {
	case d.limit && lingering:
		s.mu.Lock()
		s.sock.abandon()
		s.mu.Unlock()
		s.box.Wake(sigRead) // to close it
	case d.limit && closing:
		s.expire()
	case d.limit:
		go s.handshakeOver() // response hooks may block
	case d.slow:
		s.observeDrops(1, protocol.ErrSlow)
		s.abort(protocol.ErrSlow)
	case d.silent:
		s.abort(protocol.ErrReset)
	case d.old:
		s.life.Terminate(protocol.Closef(protocol.CloseGoingAway, "the connection is too old"))
	case d.idle:
		s.life.Terminate(protocol.Closef(protocol.CloseGoingAway, "idle"))
	case d.ping:
		_ = s.life.Conn().Send(ping) // too late, or the peer is slow: both are seen to
		_ = s.Flush()                // now, or many connections would have a queue at once
	}
	if d.stuck {
		go s.engine.cfg.OnStuck(s.life.Conn(), stack.Of(&s.life))
	}
}

// lift takes away the deadlines that have passed, and returns which. What the peer
// sends while a handler runs is not read, so its silence counts from then on. s.mu
// is held.
func (s *Stream) lift(now moment) (d due) {
	passed := func(m moment) bool { return m != 0 && m <= now }
	s.armed = 0
	if s.inTurn && s.open {
		s.heard, s.active, s.pong = now, now, 0
	}
	if d.limit = passed(s.limit); d.limit {
		s.limit = 0
	}
	if d.stuck = passed(s.stuck); d.stuck {
		s.stuck = 0
	}
	if d.slow = passed(s.writtenBy()); d.slow {
		s.out.since = 0
	}
	if d.silent = passed(s.pong); d.silent {
		s.pong = 0
	}
	if d.old = passed(s.lifetime); d.old {
		s.lifetime = 0
	}
	if d.idle = passed(s.idleAt()); d.idle {
		s.active = now
	}
	if d.ping = passed(s.pingAt()) && !d.silent; d.ping {
		s.pong = now.plus(s.engine.cfg.PongTimeout)
	}
	return d
}
