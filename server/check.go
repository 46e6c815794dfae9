package server

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/protocol/websocket"
	"github.com/portico-go/portico/router"
)

// httpName is what Scope.Protocol of an HTTP request is.
const httpName = "http"

// check returns all faults of the application, the configuration and the
// listeners.
func (s *Server) check(listeners []Listener) error {
	errs := []error{s.cfg.Limits.check(), s.cfg.Timeouts.check()}
	fault := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("server: "+format, args...))
	}
	if s.app == nil {
		fault("the application is nil: give New one, such as a router.ProtocolTypeRouter")
	} else {
		errs = append(errs, protocol.Check(s.app))
	}
	if s.protocolsErr != nil {
		errs = append(errs, s.protocolsErr)
	}
	if root := s.cfg.RootPath; root != "" && (root[0] != '/' || strings.HasSuffix(root, "/")) {
		fault(`Config.RootPath is %q: it must begin with "/" and not end with one`, root)
	}
	if len(listeners) == 0 {
		fault("there is no listener: name at least one address")
	}
	for _, l := range listeners {
		errs = append(errs, l.check(), s.checkProtocols(l))
	}
	return errors.Join(append(errs, s.checkNames())...)
}

// checkNames returns what is wrong with the names of Config.Protocols.
func (s *Server) checkNames() error {
	var errs []error
	seen := []string{httpName, websocket.Name}
	for _, p := range s.protocols {
		switch name := p.Name(); {
		case name == "":
			errs = append(errs, fmt.Errorf("server: Config.Protocols has a %T without a name", p))
		case slices.Contains(seen, name):
			errs = append(errs, fmt.Errorf("server: Config.Protocols has a second %q: names must differ", name))
		default:
			seen = append(seen, name)
		}
	}
	return errors.Join(errs...)
}

// names returns what the server can speak.
func (s *Server) names() []string {
	names := []string{httpName, websocket.Name}
	for _, p := range s.protocols {
		names = append(names, p.Name())
	}
	return names
}

// checkProtocols compares what a listener is to serve with what the server can
// speak and the application routes. What was asked for by name must be there.
func (s *Server) checkProtocols(l Listener) error {
	var errs []error
	can, routed := s.names(), routedProtocols(s.app)
	for _, name := range l.Protocols {
		switch {
		case !slices.Contains(can, name):
			errs = append(errs, fmt.Errorf("server: the listener %s is to serve %q, which is unknown: add it to Config.Protocols, or name some of %q",
				l.name(), name, can))
		case routed != nil && !slices.Contains(routed, name):
			errs = append(errs, fmt.Errorf("server: the listener %s is to serve %q, for which the ProtocolTypeRouter has no application: it has %q",
				l.name(), name, routed))
		}
	}
	if len(s.served(l)) == 0 && len(errs) == 0 {
		errs = append(errs, fmt.Errorf("server: the listener %s can serve nothing: the ProtocolTypeRouter has applications for %q, the server speaks %q",
			l.name(), routed, can))
	}
	return errors.Join(errs...)
}

// served returns what a listener serves: what it names, or everything that the
// server can speak and the application routes.
func (s *Server) served(l Listener) []string {
	if l.Protocols != nil {
		return l.Protocols
	}
	names, routed := s.names(), routedProtocols(s.app)
	if routed == nil {
		return names
	}
	return slices.DeleteFunc(names, func(name string) bool { return !slices.Contains(routed, name) })
}

// routedProtocols returns the protocols of the ProtocolTypeRouter at the root of
// an application, perhaps behind middleware, or nil if there is none.
func routedProtocols(app protocol.Application) (names []string) {
	for app != nil {
		if byProtocol, ok := app.(router.ProtocolTypeRouter); ok {
			names = []string{}
			for name := range byProtocol {
				names = append(names, name)
			}
			slices.Sort(names)
			return names
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

func (l Limits) check() error {
	var errs []error
	for name, v := range map[string]int64{
		"Connections": int64(l.Connections), "ConnectionsPerIP": int64(l.ConnectionsPerIP), "Header": int64(l.Header),
		"Body": l.Body, "Frame": int64(l.Frame), "Message": int64(l.Message), "Queue": int64(l.Queue),
		"Buffered": int64(l.Buffered),
	} {
		if v < 0 {
			errs = append(errs, fmt.Errorf("server: Limits.%s is %d: it must not be negative, and 0 is the default", name, v))
		}
	}
	return errors.Join(errs...)
}

func (t Timeouts) check() error {
	var errs []error
	for name, v := range map[string]time.Duration{
		"Header": t.Header, "Terminal": t.Terminal, "Handshake": t.Handshake, "Idle": t.Idle,
		"Stall": t.Stall, "Close": t.Close, "Handler": t.Handler, "Shutdown": t.Shutdown,
		"Pong": t.Pong, "Silence": t.Silence, "Lifetime": t.Lifetime,
	} {
		if v < 0 {
			errs = append(errs, fmt.Errorf("server: Timeouts.%s is %v: it must not be negative, and 0 is the default", name, v))
		}
	}
	return errors.Join(errs...)
}
