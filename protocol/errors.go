package protocol

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

// The reasons why a connection ends that are nobody's error value. They are
// causes of its context and of its Disconnect.
var (
	// ErrClosed is returned by a Send that comes too late: the request is over,
	// or the connection is closed or closing.
	ErrClosed = errors.New("protocol: the connection is closed")
	// ErrReset means that the connection broke: a reset, or a hang-up.
	ErrReset = errors.New("protocol: the peer reset the connection")
	// ErrHandshakeTimeout means that the handshake took too long, or that the
	// handler neither accepted nor refused in time.
	ErrHandshakeTimeout = errors.New("protocol: the handshake took too long")
	// ErrShutdown means that the server shuts down.
	ErrShutdown = errors.New("protocol: the server shuts down")
	// ErrSlow means that the client did not read fast enough.
	ErrSlow = errors.New("protocol: the client reads too slowly")
	// ErrReplaced means that a message was dropped for a later one with the same Key,
	// because the client reads too slowly: see KeepLatest.
	ErrReplaced = errors.New("protocol: a later message with the same key took its place")
	// ErrHeadersSent is returned by OnResponse when the answer's head is out.
	ErrHeadersSent = errors.New("protocol: the headers have been sent")
)

// A Reject refuses a connection, or answers a request, before it is accepted: an
// HTTP response, a WebSocket denial response, an error line. Return it from Open
// or Handle as an error.
type Reject struct {
	// Status is the HTTP status. 0 is 403.
	Status int
	// Reason is a short text for the client, one line. Empty is the status text.
	Reason string
	// Header has further fields of the answer.
	Header Fields
	// Body is the body of the answer; nil is the reason as plain text.
	Body []byte
	// Err is the error behind it, for logs and errors.Is; clients never see it.
	Err error

	noRoute  bool
	reported bool // the observer was told of Err
}

// Rejectf returns a Reject with a status and a formatted reason.
func Rejectf(status int, format string, args ...any) *Reject {
	return &Reject{Status: status, Reason: fmt.Sprintf(format, args...)}
}

// NoRoute returns the error of a router that has no route for a scope. An outer
// router that gets it goes on with its own routes; in the end it is a 404.
func NoRoute() error { return &Reject{Status: http.StatusNotFound, noRoute: true} }

// NoRouteWith is NoRoute with an answer of its own, as 405 and 426 need it: if
// no other route is found, the Reject given here is the answer.
func NoRouteWith(r Reject) error {
	r.noRoute = true
	return &r
}

// IsNoRoute reports whether err says that a router has no route.
func IsNoRoute(err error) bool {
	r, ok := errors.AsType[*Reject](err)
	return ok && r.noRoute
}

// Error implements error.
func (r *Reject) Error() string {
	msg := fmt.Sprintf("protocol: refused with %d %s", r.StatusOrDefault(), r.Text())
	if r.Err != nil {
		msg += ": " + r.Err.Error()
	}
	return msg
}

// Unwrap returns Err.
func (r *Reject) Unwrap() error { return r.Err }

// StatusOrDefault returns Status, or 403.
func (r *Reject) StatusOrDefault() int {
	if r.Status == 0 {
		return http.StatusForbidden
	}
	return r.Status
}

// Text returns the reason, or the status's own text.
func (r *Reject) Text() string {
	if r.Reason != "" {
		return r.Reason
	}
	return http.StatusText(r.StatusOrDefault())
}

// EventType implements Event.
func (*Reject) EventType() string { return "reject" }

// Step implements Stepper.
func (*Reject) Step() Step { return StepRefuse }

// A CloseError ends an accepted connection with a code and a reason. Return it
// from Handle, or find it as the cause of a Disconnect.
type CloseError struct {
	// Code is the close code. 0 is CloseNormal.
	Code CloseCode
	// Reason is a short text for the peer.
	Reason string
	// Remote says that the peer closed, not this side.
	Remote bool
	// Err is the error behind it; peers never see it.
	Err error
}

// Closef returns a CloseError with a code and a formatted reason.
func Closef(code CloseCode, format string, args ...any) *CloseError {
	return &CloseError{Code: code, Reason: fmt.Sprintf(format, args...)}
}

// Error implements error.
func (e *CloseError) Error() string {
	who := "closed"
	if e.Remote {
		who = "closed by the peer"
	}
	msg := fmt.Sprintf("protocol: %s with %d", who, e.Code)
	if e.Reason != "" {
		msg += " " + e.Reason
	}
	if e.Err != nil {
		msg += ": " + e.Err.Error()
	}
	return msg
}

// Unwrap returns Err.
func (e *CloseError) Unwrap() error { return e.Err }

// status returns the HTTP status that says of a refusal what the code says of a
// close: whose fault it is, if it is the peer's.
func (e *CloseError) status() int {
	switch e.Code {
	case CloseProtocolError, CloseUnsupportedData, CloseInvalidPayload:
		return http.StatusBadRequest
	case CloseMessageTooBig:
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusForbidden
}

// A PanicError is a panic of an application, caught at the connection.
type PanicError struct {
	Value any
	Stack []byte // of the goroutine that panicked
}

// Error implements error.
func (e *PanicError) Error() string { return fmt.Sprintf("protocol: panic: %v", e.Value) }

// A StateError is returned by a Send that the connection's state does not allow.
type StateError struct {
	Event string // what was sent
	State State  // the state it came in
	Want  string // what the state allows
}

// Error implements error.
func (e *StateError) Error() string {
	return fmt.Sprintf("protocol: %s was sent while the connection is %s, which allows %s", e.Event, e.State, e.Want)
}

// RejectOf returns how an error of an application refuses a connection. unexpected
// says that the error is none that an application returns on purpose, so that it
// is to be logged.
//
// A CloseError is a 403, but where its code says that the peer sent what it should
// not have: 1002, 1003 and 1007 are a 400, 1009 is a 413.
func RejectOf(err error) (r *Reject, unexpected bool) {
	if r, ok := errors.AsType[*Reject](err); ok {
		return r, r.StatusOrDefault() >= 500 && r.Err != nil
	}
	if c, ok := errors.AsType[*CloseError](err); ok {
		return &Reject{Status: c.status(), Reason: c.Reason, Err: c}, false
	}
	switch {
	case errors.Is(err, ErrHandshakeTimeout), errors.Is(err, ErrShutdown), errors.Is(err, ErrSlow):
		return &Reject{Status: http.StatusServiceUnavailable, Err: err}, false
	case errors.Is(err, context.Canceled), errors.Is(err, ErrReset), errors.Is(err, ErrClosed):
		return &Reject{Status: http.StatusServiceUnavailable, Err: err}, false
	}
	return &Reject{Status: http.StatusInternalServerError, Err: err}, true
}

// CloseOf returns how an error of an application closes an accepted connection.
// unexpected is as for RejectOf.
func CloseOf(err error) (c *CloseError, unexpected bool) {
	if c, ok := errors.AsType[*CloseError](err); ok {
		return c, false
	}
	if r, ok := errors.AsType[*Reject](err); ok && r.StatusOrDefault() < 500 {
		return &CloseError{Code: ClosePolicyViolation, Reason: r.Text(), Err: r}, false
	}
	switch {
	case errors.Is(err, ErrShutdown):
		return &CloseError{Code: CloseGoingAway, Reason: "server shutting down", Err: err}, false
	case errors.Is(err, ErrHandshakeTimeout):
		return &CloseError{Code: CloseInternalError, Reason: "handshake took too long", Err: err}, false
	case errors.Is(err, ErrSlow):
		return &CloseError{Code: CloseTryAgainLater, Reason: "client too slow", Err: err}, false
	case errors.Is(err, context.Canceled), errors.Is(err, ErrReset), errors.Is(err, ErrClosed):
		return &CloseError{Code: CloseAbnormal, Err: err}, false
	}
	return &CloseError{Code: CloseInternalError, Reason: "internal error", Err: err}, true
}
