package main

import (
	"fmt"
	"strings"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/nats"
	"github.com/portico-go/portico/channellayer/redis"
)

// openLayer returns the channel layer of this process, joined with those of others by a server at the URL, unless that is "memory".
func openLayer(url string) (*channellayer.Hub, error) {
	var broker channellayer.Broker
	var err error
	scheme, _, _ := strings.Cut(url, ":")
	switch scheme {
	case "memory":
	case "redis", "rediss":
		broker, err = redis.Open(url)
	case "nats", "tls":
		broker, err = nats.Open(url)
	default:
		err = fmt.Errorf("the layer %q is unknown, expected memory, redis://HOST:PORT or nats://HOST:PORT", scheme)
	}
	if err != nil {
		return nil, err
	}
	return channellayer.New(channellayer.Config{Broker: broker})
}
