package brokers

import (
	"errors"
	"fmt"
	"strings"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/nats"
	"github.com/portico-go/portico/channellayer/redis"
)

// Memory is the URL of a layer without a broker.
const Memory = "memory"

const expected = "expected memory, redis://HOST:PORT or nats://HOST:PORT"

// Open returns a broker for the server at a URL, not started, as redis.Open (redis, rediss) and nats.Open (nats, tls) do; for [Memory] it
// returns nil, which is a hub's broker when there is none. It does not connect.
func Open(url string) (channellayer.Broker, error) {
	if url == Memory {
		return nil, nil //nolint:nilnil // what a Config without a broker has
	}
	scheme, _, ok := strings.Cut(url, "://")
	if !ok { // it may be anything, a password too
		return nil, errors.New("brokers: this is no URL of a layer: " + expected)
	}
	// One by one: a nil *redis.Broker in a Broker would be no nil.
	switch scheme {
	case "redis", "rediss":
		broker, err := redis.Open(url)
		if err != nil {
			return nil, err
		}
		return broker, nil
	case "nats", "tls":
		broker, err := nats.Open(url)
		if err != nil {
			return nil, err
		}
		return broker, nil
	}
	return nil, fmt.Errorf("brokers: the layer %q is unknown: %s", scheme, expected)
}
