package redis_test

import (
	"context"
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/layertest"
	"github.com/portico-go/portico/channellayer/redis"
)

// open returns a broker with these options, not started.
func open(t *testing.T, o redis.Options) *redis.Broker {
	t.Helper()
	b, err := redis.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestStandalone(t *testing.T) {
	t.Parallel()
	s := launch(t, nil)
	layertest.Run(t, layertest.Backend{
		Broker: func(t *testing.T) channellayer.Broker {
			b, err := redis.Open("redis://" + s.addr + "/0?prefix=suite:")
			if err != nil {
				t.Fatal(err)
			}
			return b
		},
		Stop:     func(*testing.T) { s.kill() },
		Start:    func(*testing.T) { s.start() },
		Patience: patience,
		Groups:   100_000,
	})
}

// Lanes work on one server as they do in a Cluster.
func TestShardedStandalone(t *testing.T) {
	t.Parallel()
	s := launch(t, nil)
	layertest.Run(t, layertest.Backend{
		Broker: func(t *testing.T) channellayer.Broker {
			return open(t, redis.Options{Client: rueidis.ClientOption{InitAddress: []string{s.addr}}, Sharded: true, Lanes: 4})
		},
		Stop:     func(*testing.T) { s.kill() },
		Start:    func(*testing.T) { s.start() },
		Patience: patience,
		Groups:   1000,
	})
}

// Two layers on one server do not hear each other.
func TestPrefix(t *testing.T) {
	t.Parallel()
	s := launch(t, nil)
	hub := func(prefix string) *channellayer.Hub {
		h, err := channellayer.New(channellayer.Config{
			Broker: open(t, redis.Options{Client: rueidis.ClientOption{InitAddress: []string{s.addr}}, Prefix: prefix}),
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { h.Close() })
		return h
	}
	a, b, c := hub("a:"), hub("b:"), hub("a:")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var subs []*channellayer.Subscription
	for _, h := range []*channellayer.Hub{b, c} {
		sub, err := h.Subscribe(h.NewChannel("x"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := sub.Join(ctx, "g"); err != nil {
			t.Fatal(err)
		}
		subs = append(subs, sub)
	}
	for i, h := range []*channellayer.Hub{a, hub("b:")} {
		if _, err := h.GroupSend(ctx, "g", channellayer.Event{Type: "t", Value: i}); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []string{"1", "0"} {
		if m, err := subs[i].Receive(ctx); err != nil || string(m.Payload) != want {
			t.Errorf("subscriber %d: %v, %v; expected %s", i, m, err, want)
		}
	}
}

func TestPassword(t *testing.T) {
	t.Parallel()
	s := launch(t, []string{"requirepass wonderland"})
	for url, want := range map[string]string{
		"redis://:wonderland@" + s.addr: "",
		"redis://:rabbit@" + s.addr:     "WRONGPASS",
		"redis://" + s.addr:             "NOAUTH",
	} {
		b, err := redis.Open(url)
		if err != nil {
			t.Fatal(err)
		}
		hub, err := channellayer.New(channellayer.Config{Broker: b})
		switch {
		case err == nil:
			hub.Close()
			if want != "" {
				t.Errorf("%s: no error, expected %s", url, want)
			}
		case want == "" || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "rabbit"):
			t.Errorf("%s: %v, expected %q", url, err, want)
		}
	}
}

// The rights that the deployment page names are enough, and channels under another prefix are not among them.
func TestRights(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/deployment.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("with ACLs: `([^`]+)` and the channels `([^`]+)`").FindStringSubmatch(string(page))
	if m == nil {
		t.Fatal("the page names no rights")
	}
	s := launch(t, []string{"user default off", "user chat on >secret resetchannels " + m[2] + " " + m[1]})
	for _, query := range []string{"", "?sharded=true&lanes=2", "?prefix=other:"} {
		b, err := redis.Open("redis://chat:secret@" + s.addr + query)
		if err != nil {
			t.Fatal(err)
		}
		hub, err := channellayer.New(channellayer.Config{Broker: b})
		if query == "?prefix=other:" {
			if err == nil || !strings.Contains(err.Error(), "NOPERM") {
				t.Errorf("another prefix: %v, expected NOPERM", err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		defer hub.Close()
		sub, err := hub.Subscribe("c", nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(sub.Join(t.Context(), "g"), sub.Leave(t.Context(), "g"), sub.Join(t.Context(), "h")); err != nil {
			t.Error(err)
		}
		if _, err := hub.GroupSend(t.Context(), "h", channellayer.Event{Type: "t"}); err != nil {
			t.Error(err)
		}
	}
}

func TestBadOptions(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"http://127.0.0.1":                      "scheme",
		"redis://127.0.0.1?sharded=perhaps":     "sharded",
		"redis://127.0.0.1?lanes=many":          "lanes",
		"redis://127.0.0.1?lanes=-1":            "Lanes",
		"redis://127.0.0.1?prefix={a}":          "brace",
		"redis://:secret@127.0.0.1/zero":        "database",
		"redis://:secret@127.0.0.1:port":        "malformed",
		"redis://:secret@127.0.0.1?lanes=20000": "Lanes",
	} {
		if _, err := redis.Open(url); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, expected %q and no password", url, err, want)
		}
	}
	if _, err := redis.New(redis.Options{}); err == nil || !strings.Contains(err.Error(), "InitAddress") {
		t.Errorf("no address: %v", err)
	}
}

// A node whose server lives but answers nobody finds out, and comes back.
func TestFrozenServer(t *testing.T) {
	t.Parallel()
	s := launch(t, nil)
	hub, err := channellayer.New(channellayer.Config{Broker: open(t, redis.Options{Client: rueidis.ClientOption{InitAddress: []string{s.addr}}})})
	if err != nil {
		t.Fatal(err)
	}
	defer hub.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	sub, err := hub.Subscribe(hub.NewChannel("x"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := sub.Join(ctx, "g"); err != nil {
		t.Fatal(err)
	}
	freeze(t, s)
	begin := time.Now()
	if m, err := sub.Receive(ctx); err != nil || m.Kind != channellayer.KindLayer {
		t.Fatalf("got %v, %v; expected to be told", m, err)
	}
	t.Logf("found out after %v", time.Since(begin).Round(time.Millisecond))
	thaw(t, s)
	m, err := sub.Receive(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if ev, ok := m.Layer(); !ok || !ev.Up {
		t.Errorf("got %v %q, expected that the layer is up", m.Kind, m.Type)
	}
}
