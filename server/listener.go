package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/portico-go/portico/internal/engine"
)

// A Listener is where connections come from, and what they may do.
type Listener struct {
	// Net is an open listener, which Serve closes. It must hand out plain connections:
	// TLS and PROXY headers are what the fields below are for. Connections that are polled
	// inherit the engine's choice of TCP_NODELAY, keep-alive and SO_LINGER, not what was set
	// on it. If it is nil, one is opened on Network and Address.
	Net net.Listener
	// Network is "tcp", "tcp4", "tcp6" or "unix". Empty is "tcp".
	Network string
	// Address is a "host:port" as in net.Listen, or the path of a unix socket.
	Address string
	// Protocols are the names of what is served here: "http", "websocket", "chat", …
	// nil is everything that the server and the application have. A name that the
	// application's ProtocolTypeRouter does not have is an error of Serve.
	Protocols []string
	// TLS, unless nil, is the configuration of TLS on this listener. It is cloned;
	// its NextProtos, if it has none, become "http/1.1".
	TLS *tls.Config
	// ProxyProtocol lists the addresses of proxies that must begin a connection with
	// a PROXY protocol header, version 1 or 2, which is believed. A connection from
	// elsewhere must have none. Empty is nobody.
	ProxyProtocol []netip.Prefix
	// InsecureProxyProtocol believes the PROXY header of whoever connects; then the
	// address of a client is what the client says. It is for unix sockets and for
	// ports that only the proxy can reach.
	InsecureProxyProtocol bool
	// Limits and Timeouts of this listener; 0 stands for the server's.
	Limits   Limits
	Timeouts Timeouts
}

// parseAddress returns the listener of an address of ListenAndServe.
func parseAddress(addr string) Listener {
	if path, ok := strings.CutPrefix(addr, "unix:"); ok {
		return Listener{Network: "unix", Address: path}
	}
	return Listener{Network: "tcp", Address: addr}
}

// name says which listener it is, in errors.
func (l Listener) name() string {
	if l.Net != nil {
		return l.Net.Addr().String()
	}
	return l.Address
}

// check returns what is wrong with the listener.
func (l Listener) check() error {
	var errs []error
	fault := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("server: the listener %s "+format, append([]any{l.name()}, args...)...))
	}
	switch {
	case l.Net != nil && l.Address != "":
		fault("has both Net and Address: give it one of them")
	case l.Net == nil && l.Address == "":
		errs = append(errs, errors.New("server: a listener has neither Net nor Address: give it one of them"))
	case l.Net == nil && !slices.Contains([]string{"", "tcp", "tcp4", "tcp6", "unix"}, l.Network):
		fault(`has the network %q: use "tcp", "tcp4", "tcp6" or "unix"`, l.Network)
	}
	if l.Protocols != nil && len(l.Protocols) == 0 {
		fault("serves no protocol: name some, or leave Protocols nil for all")
	}
	if l.TLS != nil {
		if len(l.TLS.Certificates) == 0 && l.TLS.GetCertificate == nil && l.TLS.GetConfigForClient == nil {
			fault("has TLS without a certificate: set Certificates or GetCertificate")
		}
		if slices.Contains(l.TLS.NextProtos, "h2") {
			fault("offers h2 in TLS.NextProtos, which is not served: take it out")
		}
	}
	for _, p := range l.ProxyProtocol {
		if !p.IsValid() {
			fault("has an invalid prefix in ProxyProtocol: make it with netip.ParsePrefix")
		}
	}
	return errors.Join(append(errs, l.Limits.check(), l.Timeouts.check())...)
}

// open opens the listener, if it is not open.
func (l Listener) open(ctx context.Context) (net.Listener, error) {
	if l.Net != nil {
		return l.Net, nil
	}
	network := l.Network
	if network == "" {
		network = "tcp"
	}
	lc := net.ListenConfig{KeepAliveConfig: engine.KeepAlive()}
	ln, err := lc.Listen(ctx, network, l.Address)
	if network == "unix" && errors.Is(err, syscall.EADDRINUSE) && removeStale(ctx, l.Address) {
		ln, err = lc.Listen(ctx, network, l.Address)
	}
	if err != nil {
		return nil, fmt.Errorf("server: cannot listen: %w", err)
	}
	return ln, nil
}

// removeStale removes a unix socket that nobody listens on any more.
func removeStale(ctx context.Context, path string) bool {
	if info, err := os.Lstat(path); err != nil || info.Mode().Type() != os.ModeSocket {
		return false
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", path)
	if err == nil {
		_ = c.Close() // it was opened to see whether it can be
		return false
	}
	return errors.Is(err, syscall.ECONNREFUSED) && os.Remove(path) == nil
}

// tlsConfig returns the listener's own copy of its TLS configuration.
func (l Listener) tlsConfig() *tls.Config {
	if l.TLS == nil {
		return nil
	}
	cfg := l.TLS.Clone()
	if len(cfg.NextProtos) == 0 {
		cfg.NextProtos = []string{"http/1.1"}
	}
	return cfg
}

// mayHaveProxies reports whether a connection may begin with a PROXY header.
func (l *Listener) mayHaveProxies() bool { return l.InsecureProxyProtocol || len(l.ProxyProtocol) > 0 }

// believes reports whether a connection from addr begins with a PROXY header.
func (l *Listener) believes(ip netip.Addr) bool {
	if l.InsecureProxyProtocol {
		return true
	}
	return ip.IsValid() && slices.ContainsFunc(l.ProxyProtocol, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// addressOf returns the address of a TCP socket, or the zero value.
func addressOf(addr net.Addr) netip.AddrPort {
	a, ok := addr.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := a.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
