package main

import (
	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/brokers"
)

// openLayer returns the channel layer of this process, joined with those of others by a server at the URL, unless that is "memory".
func openLayer(url string) (*channellayer.Hub, error) {
	broker, err := brokers.Open(url)
	if err != nil {
		return nil, err
	}
	return channellayer.New(channellayer.Config{Broker: broker})
}
