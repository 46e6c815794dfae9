package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/portico-go/portico/middleware"
	"github.com/portico-go/portico/protocol"
)

// change makes a change, if it can be saved.
func (s *Session) change(ctx context.Context, edit func(*changes)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.load(ctx); err != nil {
		return err
	}
	next := changes{}
	if s.changes != nil {
		next = *s.changes
		next.keys = append([]change(nil), next.keys...)
	}
	edit(&next)
	if !s.is(detached) && s.needsCookie(&next) {
		switch {
		case s.is(noCookies):
			s.mark(detached, true)
		case s.headOut():
			return ErrHeadersSent
		}
	}
	if err := s.fits(&next); err != nil {
		return err
	}
	s.changes = &next
	s.hook()
	return nil
}

// needsCookie reports whether saving c sets a cookie. s.mu is held.
func (s *Session) needsCookie(c *changes) bool {
	return s.value == "" || c.renewed || s.of.keeper.inCookie()
}

// fits checks the limit of sessions in cookies. s.mu is held.
func (s *Session) fits(c *changes) error {
	k, ok := s.of.keeper.(*signed)
	if !ok || s.is(detached) {
		return nil
	}
	return k.fits(len(c.apply(s.record())))
}

// headOut reports whether no cookie can be set any more. s.mu is held.
func (s *Session) headOut() bool { return s.scope == nil || s.scope.HeadersSent() }

// hook has the session saved with the answer's head, or else after the event. A
// router may take hooks back while the connection opens, so that until then one is
// registered for each change; the first that runs does the work. s.mu is held.
func (s *Session) hook() {
	s.watch.Store(true)
	if s.scope == nil || s.is(hooked) {
		return
	}
	s.mark(hooked, s.handler != nil)
	_ = s.scope.OnResponse(s.respond) // if it is too late, it is saved after the event
}

// renew notes that the idle limit is to be pushed back, where that is possible.
// s.mu is held.
func (s *Session) renew(r record) {
	if s.changes != nil || !s.of.config.renewal(r, time.Now()) {
		return
	}
	if s.of.keeper.inCookie() && (s.is(noCookies) || s.headOut()) {
		return
	}
	s.changes = &changes{}
	s.hook()
}

// Save saves the session now, if it was changed. It is needed only for changes
// from outside of the handler's turn, or before something that must see them
// saved. Errors are the store's and ErrDeleted. Before the answer's head is out
// the cookie still goes with that.
func (s *Session) Save(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.commit(ctx)
}

// commit saves what was changed. s.mu is held.
func (s *Session) commit(ctx context.Context) error {
	if s.changes == nil {
		return nil
	}
	if err := s.apply(ctx, s.changes); errors.Is(err, ErrDeleted) {
		return s.gone()
	} else if err != nil {
		return err
	}
	s.changes = nil
	return nil
}

// apply saves the changes. s.mu is held.
func (s *Session) apply(ctx context.Context, c *changes) error {
	base, err := s.base(ctx)
	if err != nil {
		return err
	}
	now := time.Now()
	r := record{created: base.created, pairs: c.apply(base)}
	if s.block == nil || c.renewed || s.of.config.SaveEveryRequest {
		r.created = now
	}
	r.expires = s.of.config.expiry(r.created, now)
	switch {
	case s.is(detached):
		s.value, s.block = "", r.encode()
	case len(r.pairs) == 0:
		return s.drop(ctx)
	default:
		return s.keep(ctx, c, r)
	}
	return nil
}

// base returns what the changes are applied to: what the keeper has by now. s.mu
// is held.
func (s *Session) base(ctx context.Context) (record, error) {
	if s.value == "" || s.is(detached) {
		return s.record(), nil
	}
	block, r, err := s.find(ctx)
	if err != nil {
		return record{}, err
	}
	if block == nil {
		return record{}, ErrDeleted
	}
	return r, nil
}

// gone makes the session a new one after ErrDeleted. If only its time was to be
// renewed, nobody has to know. s.mu is held.
func (s *Session) gone() error {
	lost := s.changes.cleared || s.changes.renewed || len(s.changes.keys) > 0
	s.forget()
	if lost {
		return ErrDeleted
	}
	return nil
}

// keep hands the record to the keeper. s.mu is held.
func (s *Session) keep(ctx context.Context, c *changes, r record) error {
	old, target := s.value, s.value
	if c.renewed {
		target = ""
	}
	block := r.encode()
	value, err := s.of.keeper.commit(ctx, target, block, r.expires)
	if err != nil {
		return err
	}
	s.value, s.block = value, block
	if value != old || s.of.config.SaveEveryRequest {
		s.mark(cookieDue, true)
	}
	if c.renewed && old != "" {
		return s.of.keeper.remove(ctx, old)
	}
	return nil
}

// drop deletes a session that has become empty. s.mu is held.
func (s *Session) drop(ctx context.Context) error {
	if s.value != "" {
		if err := s.of.keeper.remove(ctx, s.value); err != nil {
			return err
		}
	}
	s.forget()
	s.mark(cookieDue, s.sent)
	return nil
}

// respond is the response hook: it saves the session and sets its cookie.
func (s *Session) respond(ctx context.Context, head *protocol.Head) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	scope := s.scope
	if scope == nil {
		return nil // another hook of this session has done it
	}
	s.scope = nil
	if head.Status >= http.StatusInternalServerError {
		s.changes = nil // what failed leaves nothing behind
	} else if err := s.saveWithHead(ctx); err != nil {
		return err
	}
	if !s.is(cookieDue) || s.is(noCookies) {
		return nil
	}
	s.mark(cookieDue, false)
	return s.setCookie(scope, head)
}

func (s *Session) saveWithHead(ctx context.Context) error {
	if s.of.config.SaveEveryRequest && s.sent && s.changes == nil {
		if err := s.load(ctx); err != nil {
			return err
		}
		if s.value != "" {
			s.changes = &changes{}
		}
	}
	return s.commit(ctx)
}

// setCookie adds the cookie to an answer. s.mu is held.
func (s *Session) setCookie(scope *protocol.Scope, head *protocol.Head) error {
	config := &s.of.config
	r := s.record()
	cookie := config.cookie(s.value, config.secure(scope), r.created.Add(config.Lifetime))
	if s.value == "" {
		cookie = middleware.ExpiredCookie(cookie)
	}
	line, err := middleware.RenderCookie(cookie)
	if err != nil {
		return err
	}
	head.Header.Add("Set-Cookie", line)
	if head.Status != http.StatusSwitchingProtocols {
		head.Header.Add("Vary", "Cookie") // no cache may hand the cookie on
		if head.Header.Get("Cache-Control") == "" {
			head.Header.Add("Cache-Control", `no-cache="Set-Cookie"`)
		}
	}
	return nil
}

// Around returns a handler that saves the session after each event in which it was
// changed, if that was not done with the answer's head. See Sessions.Begin. A nil
// handler stays nil.
func (s *Session) Around(handler protocol.Handler) protocol.Handler {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handler = handler
	if s.changes != nil || s.is(cookieDue) {
		s.hook() // a router may have taken back those of a branch it left
	}
	if handler == nil {
		return nil
	}
	return (*autosave)(s)
}

// autosave is a session as the handler around the inner one: it needs no memory of
// its own.
type autosave Session

// Handle implements protocol.Handler.
func (a *autosave) Handle(ctx context.Context, ev protocol.Event) error {
	s := (*Session)(a)
	err := s.handler.Handle(ctx, ev)
	if !s.watch.Load() {
		return err
	}
	return s.after(ctx, ev, err)
}

// after saves the session after an event, if it has to be and the answer's head
// will not do it. What was changed by a handler that failed is dropped.
func (s *Session) after(ctx context.Context, ev protocol.Event, failed error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	end, over := ev.(*protocol.Disconnect)
	unanswered := !s.headOut()
	if unanswered && !over {
		return failed
	}
	s.scope = nil
	s.watch.Store(false)
	switch {
	case s.changes == nil:
		return failed
	case unexpected(failed), over && unexpected(end.Cause), unanswered && !s.is(detached) && s.needsCookie(s.changes):
		s.changes = nil
		return failed
	}
	err := s.commit(ctx)
	switch {
	case err == nil:
		return failed
	case failed != nil:
		return fmt.Errorf("session: the handler returned %q, and then: %w", failed.Error(), err)
	case errors.Is(err, ErrDeleted):
		return &protocol.CloseError{Code: protocol.ClosePolicyViolation, Reason: "the session has ended", Err: err}
	}
	return err
}

func unexpected(err error) bool {
	if err == nil {
		return false
	}
	_, unexpected := protocol.CloseOf(err)
	return unexpected
}
