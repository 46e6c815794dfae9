package nats_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"go.uber.org/goleak"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/layertest"
	"github.com/portico-go/portico/channellayer/nats"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, // the server's own, which it never ends
		goleak.IgnoreAnyFunction("github.com/nats-io/nats-server/v2/server.init.0.func1"))
}

const patience = 30 * time.Second

// A natsServer runs in this process, on a port of its own.
type natsServer struct {
	t       *testing.T
	options server.Options
	running *server.Server
}

func launch(t *testing.T, o server.Options) *natsServer {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o.Host, o.Port = "127.0.0.1", ln.Addr().(*net.TCPAddr).Port
	o.NoLog, o.NoSigs = true, true
	ln.Close()
	s := &natsServer{t: t, options: o}
	s.start()
	t.Cleanup(s.stop)
	return s
}

func (s *natsServer) start() {
	s.t.Helper()
	o := s.options
	running, err := server.NewServer(&o)
	if err != nil {
		s.t.Fatal(err)
	}
	running.Start()
	if !running.ReadyForConnections(patience) {
		s.t.Fatal("the server is not ready")
	}
	s.running = running
}

func (s *natsServer) stop() {
	s.running.Shutdown()
	s.running.WaitForShutdown()
}

func (s *natsServer) url() string { return "nats://" + s.running.Addr().String() }

func TestLayer(t *testing.T) {
	t.Parallel()
	s := launch(t, server.Options{MaxPayload: 8 << 20, MaxPending: 64 << 20})
	url := s.url()
	layertest.Run(t, layertest.Backend{
		Broker: func(t *testing.T) channellayer.Broker {
			b, err := nats.Open(url + "?prefix=suite.a.")
			if err != nil {
				t.Fatal(err)
			}
			return b
		},
		Stop:     func(*testing.T) { s.stop() },
		Start:    func(*testing.T) { s.start() },
		Patience: patience,
		Groups:   100_000,
	})
}

// What a server would not take is refused here, by its limit.
func TestMaxPayload(t *testing.T) {
	t.Parallel()
	s := launch(t, server.Options{MaxPayload: 1 << 20})
	b, err := nats.Open(s.url())
	if err != nil {
		t.Fatal(err)
	}
	hub, err := channellayer.New(channellayer.Config{Broker: b})
	if err != nil {
		t.Fatal(err)
	}
	defer hub.Close()
	_, err = hub.GroupSend(t.Context(), "g", channellayer.Event{Type: "t", Value: strings.Repeat("x", 1<<20)})
	if !errors.Is(err, channellayer.ErrTooLarge) || errors.Is(err, channellayer.ErrBrokerDown) || !strings.Contains(err.Error(), "max_payload") {
		t.Errorf("got %v, expected ErrTooLarge and the server's limit", err)
	}
	if _, err := hub.GroupSend(t.Context(), "g", channellayer.Event{Type: "t", Value: strings.Repeat("x", 1<<19)}); err != nil {
		t.Error(err)
	}
}

func TestPassword(t *testing.T) {
	t.Parallel()
	s := launch(t, server.Options{Username: "alice", Password: "wonderland"})
	address := s.running.Addr().String()
	for url, want := range map[string]string{
		"nats://alice:wonderland@" + address: "",
		"nats://alice:rabbit@" + address:     "Authorization",
		"nats://" + address:                  "Authorization",
	} {
		b, err := nats.Open(url)
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

func TestBadOptions(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"":                                  "URL is empty",
		"nats://127.0.0.1?prefix=a":         "Prefix",
		"nats://127.0.0.1?prefix=a.*.":      "Prefix",
		"nats://127.0.0.1?prefx=a.":         "prefx",
		"nats://127.0.0.1?prefix=%zz":       "query",
		"nats://alice:secret@127.0.0.1:por": "malformed",
	} {
		if _, err := nats.Open(url); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, expected %q and no password", url, err, want)
		}
	}
}

// A connection that dies while both ends live costs one reconnection, and members are told.
func TestCutConnection(t *testing.T) {
	t.Parallel()
	s := launch(t, server.Options{})
	b, err := nats.New(nats.Options{URL: s.url()})
	if err != nil {
		t.Fatal(err)
	}
	hub, err := channellayer.New(channellayer.Config{Broker: b})
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
	conns, err := s.running.Connz(nil)
	if err != nil || len(conns.Conns) != 1 {
		t.Fatalf("%v connections, %v", conns, err)
	}
	if err := s.running.DisconnectClientByID(conns.Conns[0].Cid); err != nil {
		t.Fatal(err)
	}
	for _, up := range []bool{false, true} {
		m, err := sub.Receive(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if ev, ok := m.Layer(); !ok || ev.Up != up {
			t.Fatalf("got %v %q, expected that Up is %v", m.Kind, m.Type, up)
		}
	}
}
