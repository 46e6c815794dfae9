package http_test

import (
	"context"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/protocol/http"
)

// echo answers with the request's body, and with its path as a header.
var echo = open(func(scope *protocol.Scope, conn *protocol.Conn) protocol.HandlerFunc {
	return func(_ context.Context, ev protocol.Event) error {
		if ev, ok := ev.(*http.Request); ok {
			return conn.Send(&http.Response{
				Head: protocol.Head{Header: protocol.Fields{{Name: "X-Path", Value: scope.Path()}}},
				Body: ev.Body,
			})
		}
		return nil
	}
})
