package router

import "github.com/portico-go/portico/protocol"

// Finds looks the scope's route up and reports whether there is one.
func (r *URLRouter) Finds(scope *protocol.Scope) bool { return r.lookup(scope, 0, nil).route != nil }
