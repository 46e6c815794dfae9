package middleware

import (
	"context"

	"github.com/portico-go/portico/protocol"
)

// SecurityHeaders returns a middleware that adds to HTTP answers the headers that
// are right for nearly every site, unless the application has set them: no guessing
// of content types, no frames of other origins around pages, and the path of a page
// for its own origin only. A Content-Security-Policy and Strict-Transport-Security
// are left to the site, which alone knows what it may say. All other protocols pass.
func SecurityHeaders() protocol.Middleware {
	fields := protocol.Fields{
		{Name: "X-Content-Type-Options", Value: "nosniff"},
		{Name: "X-Frame-Options", Value: "SAMEORIGIN"},
		{Name: "Referrer-Policy", Value: "strict-origin-when-cross-origin"},
		{Name: "Cross-Origin-Opener-Policy", Value: "same-origin"},
	}
	return Transform{
		Name: "SecurityHeaders",
		Scope: func(_ context.Context, scope *protocol.Scope) (*protocol.Scope, error) {
			if scope.Protocol() != "http" {
				return scope, nil
			}
			err := scope.OnResponse(func(_ context.Context, head *protocol.Head) error {
				for _, f := range fields {
					if head.Header.Get(f.Name) == "" {
						head.Header.Add(f.Name, f.Value)
					}
				}
				return nil
			})
			return scope, err
		},
	}.Middleware()
}
