package consumer

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/protocol/http"
)

// HTTPFunc is a consumer of HTTP requests that needs no state: a function that
// answers one request. It is called when the whole body is there, and must have
// answered when it returns; an error answers too (protocol.Reject as it says,
// anything else with 500).
type HTTPFunc func(ctx context.Context, x *Exchange) error

// Open implements protocol.Application.
func (f HTTPFunc) Open(_ context.Context, scope *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
	if err := wantHTTP(scope); err != nil {
		return nil, err
	}
	return &funcExchange{handle: f, x: Exchange{conn: conn, scope: scope}}, nil
}

// Describe implements protocol.Described.
func (f HTTPFunc) Describe() protocol.Description {
	d := protocol.Description{Name: "consumer.HTTPFunc"}
	if f == nil {
		d.Err = errors.New("consumer: a nil HTTPFunc")
	}
	return d
}

// A funcExchange is the handler of one request to an HTTPFunc.
type funcExchange struct {
	handle HTTPFunc
	x      Exchange
}

// Handle implements protocol.Handler.
func (e *funcExchange) Handle(ctx context.Context, ev protocol.Event) error {
	r, ok := ev.(*http.Request)
	if !ok {
		return nil
	}
	e.x.body = r.Body
	return e.handle(ctx, &e.x)
}

// HTTP is a consumer of HTTP requests with a state of its own for each. Write it as
// a literal; its address is a protocol.Application.
type HTTP[C any] struct {
	// New makes the state of a request. nil makes a zero C.
	New func() *C
	// Handle answers the request. Without Stream it is called once, with the whole
	// body, and must have answered when it returns.
	Handle func(c *C, ctx context.Context, x *Exchange) error
	// Stream lets Handle begin an answer with x.Start and go on with x.Write until
	// x.End, also after it has returned: from Posted, say.
	Stream bool
	// Posted handles what was posted with conn.Post or conn.PostAfter, if Stream is
	// set. nil drops it.
	Posted func(c *C, ctx context.Context, x *Exchange, ev protocol.Event) error
	// Disconnect is called once when the request is over, answered or not.
	Disconnect func(c *C, ctx context.Context, x *Exchange, ev *protocol.Disconnect) error
}

// Open implements protocol.Application.
func (h *HTTP[C]) Open(_ context.Context, scope *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
	if err := wantHTTP(scope); err != nil {
		return nil, err
	}
	if h.Stream {
		http.Stream(scope)
	}
	e := &exchange[C]{consumer: h, x: Exchange{conn: conn, scope: scope}}
	if h.New != nil {
		e.state = h.New()
	} else {
		e.state = new(C)
	}
	return e, nil
}

// Describe implements protocol.Described.
func (h *HTTP[C]) Describe() protocol.Description {
	d := protocol.Description{Name: fmt.Sprintf("consumer.HTTP[%T]", *new(C))}
	switch {
	case h.Handle == nil:
		d.Err = errors.New("consumer: HTTP has no Handle function")
	case h.Posted != nil && !h.Stream:
		d.Err = errors.New("consumer: HTTP has Posted but not Stream: a buffered request is over when Handle returns")
	}
	return d
}

func wantHTTP(scope *protocol.Scope) error {
	if scope.Protocol() == "http" {
		return nil
	}
	return &protocol.Reject{
		Status: 500,
		Err:    fmt.Errorf("consumer: an HTTP consumer was reached over %s; route that to consumer.Messages", scope.Protocol()),
	}
}

// An exchange is the handler of one request to an HTTP consumer.
type exchange[C any] struct {
	consumer *HTTP[C]
	state    *C
	x        Exchange
}

// Handle implements protocol.Handler.
func (e *exchange[C]) Handle(ctx context.Context, ev protocol.Event) error {
	switch ev := ev.(type) {
	case *http.Request:
		e.x.body, e.x.more = ev.Body, ev.More
		if e.consumer.Stream && !ev.More {
			e.x.body = slices.Clone(ev.Body) // Posted may look at it
		}
		return e.consumer.Handle(e.state, ctx, &e.x)
	case *protocol.Disconnect:
		if e.consumer.Disconnect == nil {
			return nil
		}
		return e.consumer.Disconnect(e.state, ctx, &e.x, ev)
	default:
		if e.consumer.Posted == nil {
			return nil
		}
		return e.consumer.Posted(e.state, ctx, &e.x, ev)
	}
}
