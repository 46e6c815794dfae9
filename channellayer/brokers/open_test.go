package brokers_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/brokers"
	"github.com/portico-go/portico/channellayer/nats"
	"github.com/portico-go/portico/channellayer/redis"
)

func TestOpen(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]channellayer.Broker{
		"memory":                    nil,
		"redis://127.0.0.1:6379":    (*redis.Broker)(nil),
		"rediss://localhost/0":      (*redis.Broker)(nil),
		"nats://127.0.0.1:4222":     (*nats.Broker)(nil),
		"tls://localhost?prefix=a.": (*nats.Broker)(nil),
	} {
		got, err := brokers.Open(url)
		if err != nil || fmt.Sprintf("%T", got) != fmt.Sprintf("%T", want) {
			t.Errorf("%s: got %T, %v; want %T", url, got, err, want)
		}
	}
}

// An error says what is possible, and never the password.
func TestErrors(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"":                              "expected memory, redis://HOST:PORT or nats://HOST:PORT",
		"secret":                        "expected memory, ",
		"user:secret@host":              "expected memory, ",
		"kafka://user:secret@host":      `the layer "kafka" is unknown: expected memory, redis://HOST:PORT or nats://HOST:PORT`,
		"redis://user:secret@host/zero": "redis: URL",
		"redis://user:secret@ho st":     "redis: malformed URL",
		"nats://user:secret@host?x=y":   "nats: the URL's query",
	} {
		broker, err := brokers.Open(url)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") || broker != nil {
			t.Errorf("%q: got %v, %v; want an error that says %q and no secret", url, broker, err, want)
		}
	}
}

func ExampleOpen() {
	broker, err := brokers.Open(brokers.Memory)
	if err != nil {
		fmt.Println(err)
		return
	}
	hub, err := channellayer.New(channellayer.Config{Broker: broker})
	fmt.Println(hub.Stats().BrokerUp, err)
	_ = hub.Close()
	// Output: false <nil>
}
