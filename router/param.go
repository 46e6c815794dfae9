package router

import (
	"fmt"
	"net/http"
	"strconv"

	"github.com/portico-go/portico/protocol"
)

// Int returns the capture called name as an int. What {name:int} captured always
// is one; any other text is a *protocol.Reject with status 404, to be returned
// from Open or Handle. A capture that does not exist is a mistake of the program
// and another error.
func Int(scope *protocol.Scope, name string) (int, error) {
	text, ok := scope.LookupParam(name)
	if !ok {
		return 0, fmt.Errorf("router: the route %q captures nothing called %q", scope.Route(), name)
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, &protocol.Reject{Status: http.StatusNotFound, Err: fmt.Errorf("router: the capture %q is no int: %w", name, err)}
	}
	return n, nil
}
