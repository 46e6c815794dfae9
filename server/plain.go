package server

import (
	"context"
	"errors"
	"net/http"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/protocol/websocket"
	"github.com/portico-go/portico/router"
)

// plain is the application as HTTP requests meet it. One that asks in vain for a
// path on which there is a WebSocket is told so.
type plain struct {
	app     protocol.Application
	sockets bool // WebSockets are served here
}

// Open implements protocol.Application.
func (p plain) Open(ctx context.Context, scope *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
	handler, err := p.app.Open(ctx, scope, conn)
	if err == nil || !p.sockets || scope.Method() != http.MethodGet || !isMiss(err) {
		return handler, err
	}
	asSocket := scope.WithRequest(func(r *protocol.Request) { r.Protocol = websocket.Name })
	if !router.Leads(p.app, asSocket) {
		return nil, err
	}
	return nil, protocol.NoRouteWith(protocol.Reject{
		Status: http.StatusUpgradeRequired,
		Reason: "there is a WebSocket here: ask for an upgrade",
		Header: protocol.Fields{{Name: "Upgrade", Value: websocket.Name}},
		Err:    err,
	})
}

// isMiss reports whether a router found nothing at all.
func isMiss(err error) bool {
	r, ok := errors.AsType[*protocol.Reject](err)
	return ok && protocol.IsNoRoute(err) && r.StatusOrDefault() == http.StatusNotFound
}
