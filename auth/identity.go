package auth

import (
	"sync"

	"github.com/portico-go/portico/protocol"
)

// An identity is who a connection belongs to. Scopes are immutable but users log
// in and out, so a scope holds the place where the user is found.
type identity struct {
	mu   sync.Mutex
	user User      // nil is Anonymous
	site *backends // where users log in; nil without Middleware
}

var identityKey = protocol.NewKey[*identity]("user")

func identityOf(scope *protocol.Scope) *identity {
	id, _ := identityKey.From(scope)
	return id
}

// withIdentity returns the scope's identity, and a scope that has it.
func withIdentity(scope *protocol.Scope) (*identity, *protocol.Scope) {
	if id := identityOf(scope); id != nil {
		return id, scope
	}
	id := &identity{}
	return id, scope.With(identityKey.Of(id))
}

func (id *identity) current() User {
	id.mu.Lock()
	defer id.mu.Unlock()
	if id.user == nil {
		return Anonymous
	}
	return id.user
}

func (id *identity) set(u User) {
	id.mu.Lock()
	defer id.mu.Unlock()
	id.user = u
}
