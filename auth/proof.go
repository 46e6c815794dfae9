package auth

import (
	"errors"
	"net/http"

	"github.com/portico-go/portico/protocol"
)

// proofs are the users that a client's credentials proved it to be. It must be one.
type proofs []User

func (p *proofs) add(u User) { *p = append(*p, u) }

// prove takes the result of checking a credential.
func (p *proofs) prove(u User, err error) error {
	switch {
	case errors.Is(err, ErrCredentials), errors.Is(err, ErrNoUser):
		return unauthorized("wrong credentials")
	case err != nil:
		return err
	case u == nil || !u.IsAuthenticated():
		return unauthorized("wrong credentials")
	}
	p.add(u)
	return nil
}

// user returns the one user.
func (p proofs) user() (User, error) {
	if len(p) == 0 {
		return nil, unauthorized("this kind of credentials is not accepted here")
	}
	for _, u := range p[1:] {
		if u.ID() != p[0].ID() {
			return nil, unauthorized("the credentials are different users'")
		}
	}
	return p[0], nil
}

// unauthorized refuses with 401. reason goes to the client.
func unauthorized(reason string) error {
	return &protocol.Reject{
		Status: http.StatusUnauthorized,
		Reason: reason,
		Header: protocol.Fields{{Name: "WWW-Authenticate", Value: "Bearer"}},
	}
}
