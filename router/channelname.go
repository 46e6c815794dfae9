package router

import (
	"context"
	"net/http"

	"github.com/portico-go/portico/protocol"
)

// A ChannelNameRouter leads the jobs of a worker (see the package of that name) to the
// application of their channel, often a consumer.Jobs. Write it as a literal, and put it
// in a ProtocolTypeRouter as "channel".
// It must not be changed once jobs run; then it is safe for concurrent use.
//
// A job from another channel is refused with 404.
type ChannelNameRouter map[string]protocol.Application

var _ protocol.Described = ChannelNameRouter(nil)

// Open opens the application for the scope's channel.
func (r ChannelNameRouter) Open(ctx context.Context, scope *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
	app := r[scope.Channel()]
	if app == nil {
		return nil, protocol.Rejectf(http.StatusNotFound, "no application for the channel %q", scope.Channel())
	}
	return app.Open(ctx, scope, conn)
}

// Describe lists the applications, labelled with their channels. Its Err names a
// channel whose application is nil.
func (r ChannelNameRouter) Describe() protocol.Description {
	inner, err := innerByKey(r, "channel")
	return protocol.Description{Name: "ChannelNameRouter", Inner: inner, Err: err}
}
