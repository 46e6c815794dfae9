package main

import (
	"context"
	"errors"

	"github.com/portico-go/portico/auth"
	"github.com/portico-go/portico/consumer"
	"github.com/portico-go/portico/middleware/session"
	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/router"
)

// login is where users log in and out, and get tokens. The sessions are those of
// all other stacks, so whoever logs in here is known there.
func login(users auth.Backend, sessions *session.Sessions, tokens *tokenStore) protocol.Application {
	d := &desk{users, tokens}
	return auth.Stack(users, sessions)(router.MustURLRouter(
		router.Path("POST /login", consumer.HTTPFunc(d.login)),
		router.Path("POST /logout", consumer.HTTPFunc(d.logout)),
		router.Path("POST /token", consumer.HTTPFunc(d.token)),
	))
}

// A desk answers the requests to log in and out.
type desk struct {
	users  auth.Backend
	tokens *tokenStore
}

func (d *desk) login(ctx context.Context, x *consumer.Exchange) error {
	form, err := x.Form()
	if err != nil {
		return err
	}
	user, err := d.users.Authenticate(ctx, form.Get("username"), form.Get("password"))
	switch {
	case errors.Is(err, auth.ErrCredentials):
		return protocol.Rejectf(401, "wrong name or password")
	case err != nil:
		return err
	}
	if err := auth.Login(ctx, x.Scope(), user); err != nil {
		return err
	}
	return x.NoContent(204)
}

func (d *desk) logout(ctx context.Context, x *consumer.Exchange) error {
	if err := auth.Logout(ctx, x.Scope()); err != nil {
		return err
	}
	return x.NoContent(204)
}

func (d *desk) token(_ context.Context, x *consumer.Exchange) error {
	user := auth.From(x.Scope())
	if !user.IsAuthenticated() {
		return protocol.Rejectf(403, "log in first")
	}
	x.Header.Set("Cache-Control", "no-store")
	return x.Text(200, d.tokens.issue(user)+"\n")
}
