package router

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/portico-go/portico/protocol"
)

// A ProtocolTypeRouter leads each connection to the application of its protocol:
// "http", "websocket", "chat", "channel" or one of your own. Write it as a
// literal. It must not be changed once connections are opened; then it is safe
// for concurrent use.
//
// A connection of another protocol is refused with 404. A plain GET for which the
// application of "http" has no route, while a URLRouter behind "websocket" has one
// for its path, is refused with 426: the client forgot to ask for the upgrade, or a
// proxy took that away. A server reports a
// listener that speaks a protocol which is not in its router before it listens.
type ProtocolTypeRouter map[string]protocol.Application

var _ protocol.Described = ProtocolTypeRouter(nil)

// Open opens the application for the scope's protocol.
func (r ProtocolTypeRouter) Open(ctx context.Context, scope *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
	app := r[scope.Protocol()]
	if app == nil {
		return nil, protocol.Rejectf(http.StatusNotFound, "no application for the protocol %q", scope.Protocol())
	}
	handler, err := app.Open(ctx, scope, conn)
	if err != nil && scope.Protocol() == "http" && isNotFound(err) && r.servesUpgraded(scope) {
		return nil, upgradeRequired()
	}
	return handler, err
}

// Describe lists the applications, labelled with their protocols. Its Err names a
// protocol whose application is nil.
func (r ProtocolTypeRouter) Describe() protocol.Description {
	inner, err := innerByKey(r, "protocol")
	return protocol.Description{Name: "ProtocolTypeRouter", Inner: inner, Err: err}
}

// innerByKey lists the applications of a map in the order of their keys. what
// says what the keys are.
func innerByKey(apps map[string]protocol.Application, what string) (inner []protocol.Inner, err error) {
	for _, key := range slices.Sorted(maps.Keys(apps)) {
		if apps[key] == nil {
			err = errors.Join(err, fmt.Errorf("router: the application of the %s %q is nil: give it one or take the entry out", what, key))
			continue
		}
		inner = append(inner, protocol.Inner{Label: key, App: apps[key]})
	}
	return inner, err
}
