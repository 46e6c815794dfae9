package main

import (
	"context"
	"errors"

	"github.com/portico-go/portico/auth"
	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/consumer"
	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/router"
)

// A site is the HTTP part of the chat: the page, log-in and log-out, and a way to
// say something without a connection.
type site struct {
	users auth.Backend
	hub   *channellayer.Hub
}

// routes returns the site's routes.
func (s *site) routes() *router.URLRouter {
	return router.MustURLRouter(
		router.Path("GET /{$}", consumer.HTTPFunc(s.home)),
		router.Path("POST /login", consumer.HTTPFunc(s.login)),
		router.Path("POST /logout", consumer.HTTPFunc(s.logout)),
		router.Path("GET /whoami", consumer.HTTPFunc(s.whoami)),
		router.Path("POST /rooms/{room}/messages", consumer.HTTPFunc(s.post)),
	)
}

func (s *site) home(_ context.Context, x *consumer.Exchange) error {
	x.Header.Set("Content-Security-Policy", policy(page))
	return x.Respond(200, "text/html; charset=utf-8", page)
}

func (s *site) login(ctx context.Context, x *consumer.Exchange) error {
	form, err := x.Form()
	if err != nil {
		return err
	}
	user, err := s.users.Authenticate(ctx, form.Get("username"), form.Get("password"))
	if err != nil {
		return err // auth.ErrCredentials is a 401
	}
	if err := auth.Login(ctx, x.Scope(), user); err != nil {
		return err
	}
	return x.Redirect(303, "/")
}

func (s *site) logout(ctx context.Context, x *consumer.Exchange) error {
	if err := auth.Logout(ctx, x.Scope()); err != nil {
		return err
	}
	return x.Redirect(303, "/")
}

func (s *site) whoami(_ context.Context, x *consumer.Exchange) error {
	var who struct {
		User *string `json:"user"`
	}
	if user := auth.From(x.Scope()); user.IsAuthenticated() {
		name := user.Name()
		who.User = &name
	}
	return x.JSON(200, who)
}

func (s *site) post(ctx context.Context, x *consumer.Exchange) error {
	user := auth.From(x.Scope())
	if !user.IsAuthenticated() {
		return protocol.Rejectf(403, "log in first")
	}
	name, err := roomOf(x.Scope())
	if err != nil {
		return err
	}
	in, err := messageOf(x)
	if err != nil {
		return err
	}
	_, err = s.hub.Broadcast(ctx, group(name), channellayer.Event{Type: "said", Value: said{
		Room: name, From: user.Name(), Via: "http", Text: in.Text,
	}})
	if err != nil && !errors.Is(err, channellayer.ErrBrokerDown) { // people on this server have it
		return err
	}
	return x.Text(202, "accepted\n")
}

// messageOf reads a message from a form or from JSON.
func messageOf(x *consumer.Exchange) (in say, err error) {
	if x.ContentType() == "application/json" {
		err = x.DecodeJSON(&in)
	} else if form, formErr := x.Form(); formErr == nil {
		in.Text = form.Get("text")
	} else {
		err = formErr
	}
	switch {
	case err != nil:
	case in.Text == "":
		err = protocol.Rejectf(400, "a message needs a text")
	case len(in.Text) > maxText:
		err = protocol.Rejectf(413, "a message has at most %d bytes", maxText)
	}
	return in, err
}
