package worker

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/router"
)

// protocolName is what Scope.Protocol of a job is.
const protocolName = "channel"

// branch returns the part of an application that serves jobs: of a ProtocolTypeRouter at the root, what is under "channel". The start hooks of the other parts are not the
// worker's to run.
func branch(app protocol.Application) (protocol.Application, error) {
	byProtocol, ok := app.(router.ProtocolTypeRouter)
	switch {
	case app == nil:
		return nil, errors.New(`worker: the application is nil: give New one, such as a router.ProtocolTypeRouter with a "channel"`)
	case !ok:
		return app, nil
	case byProtocol[protocolName] == nil:
		return nil, fmt.Errorf("worker: the ProtocolTypeRouter has no application for %q, it has %q: put a router.ChannelNameRouter there",
			protocolName, slices.Sorted(maps.Keys(byProtocol)))
	}
	return router.ProtocolTypeRouter{protocolName: byProtocol[protocolName]}, nil
}

// routedChannels returns the channels of the ChannelNameRouter that jobs come to, perhaps behind middleware, or nil if there is none.
func routedChannels(app protocol.Application) (names []string) {
	for app != nil {
		switch r := app.(type) {
		case router.ChannelNameRouter:
			return slices.Sorted(maps.Keys(r))
		case router.ProtocolTypeRouter:
			app = r[protocolName]
			continue
		}
		described, ok := app.(protocol.Described)
		if !ok {
			return nil
		}
		inner := described.Describe().Inner
		if len(inner) != 1 || inner[0].Label != "" {
			return nil
		}
		app = inner[0].App
	}
	return nil
}

// policies returns the channels that are worked on, each with all its settings.
func (c *Config) policies(app protocol.Application) (map[string]Policy, error) {
	routed := routedChannels(app)
	base := c.Policy.over(defaultPolicy)
	all := make(map[string]Policy)
	var errs []error
	for name, p := range c.Channels {
		if routed != nil && !slices.Contains(routed, name) {
			errs = append(errs, fmt.Errorf("worker: Config.Channels has %q, for which the ChannelNameRouter has no application: it has %q", name, routed))
		}
		all[name] = p.over(base)
	}
	if c.Channels == nil {
		for _, name := range routed {
			all[name] = base
		}
	}
	if len(all) == 0 {
		errs = append(errs, errors.New("worker: there is no channel to work on: name some in Config.Channels, or put a router.ChannelNameRouter into the application"))
	}
	return all, errors.Join(errs...)
}
