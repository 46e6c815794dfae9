package protocol

import (
	"crypto/tls"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
)

// asked is a Request as a connection keeps it: what is the same for many connections
// is behind one pointer.
type asked struct {
	common  *common // never nil
	target  string
	headers Headers
	addr    [16]byte // of the client, as family says
	port    uint16
	family  family
}

// A family says what the client's address is.
type family uint8

const (
	noAddr  family = iota // not valid
	inet4                 // asked.addr, as an IPv4 address
	inet6                 // asked.addr
	special               // common.client: it has a zone
)

// common is what many connections have asked for. It never changes.
type common struct {
	settings *Settings

	protocol, version, method, scheme, rootPath string

	framing      Framing
	server       netip.AddrPort
	subprotocols []string

	// Of one connection alone.
	peer    *PeerCredentials
	tls     *tls.ConnectionState
	channel string
	client  netip.AddrPort // only if it has a zone
}

// commons are the latest of a server, where the next connection finds its own: mostly
// there is one for each listener and protocol. Their number does not grow, whatever
// clients ask for.
type commons [8]atomic.Pointer[common]

// find returns what req has in common with others.
func (s *commons) find(req *Request, settings *Settings) *common {
	b := req.Server.Addr().As16()
	slot := &s[(int(b[len(b)-1])+int(req.Server.Port())+len(req.Protocol)+len(req.Method))%len(s)]
	if c := slot.Load(); c != nil && c.is(req) {
		return c
	}
	c := newCommon(req, settings)
	if c.peer == nil && c.tls == nil && c.channel == "" && !c.client.IsValid() {
		slot.Store(c)
	}
	return c
}

// is reports whether c, which belongs to no connection alone, says what req does.
func (c *common) is(req *Request) bool {
	return c.protocol == req.Protocol && c.method == req.Method && c.version == req.Version && c.scheme == req.Scheme &&
		c.rootPath == req.RootPath && c.framing == req.Framing && c.server == req.Server &&
		req.Peer == nil && req.TLS == nil && req.Channel == "" && req.Client.Addr().Zone() == "" &&
		slices.Equal(c.subprotocols, req.Subprotocols)
}

// newCommon copies what aliases the request's text, which is not to be kept alive.
func newCommon(req *Request, settings *Settings) *common {
	c := &common{
		settings: settings,
		protocol: req.Protocol, version: req.Version, method: strings.Clone(req.Method), scheme: req.Scheme, rootPath: req.RootPath,
		framing: req.Framing, server: req.Server,
		peer: req.Peer, tls: req.TLS, channel: req.Channel,
	}
	if len(req.Subprotocols) > 0 {
		c.subprotocols = make([]string, len(req.Subprotocols))
		for i, s := range req.Subprotocols {
			c.subprotocols[i] = strings.Clone(s)
		}
	}
	if req.Client.Addr().Zone() != "" {
		c.client = req.Client
	}
	return c
}

// set makes a what req says.
func (a *asked) set(req *Request, c *common) {
	a.common, a.target, a.headers = c, req.Target, req.Headers
	addr := req.Client.Addr()
	a.addr, a.port = addr.As16(), req.Client.Port()
	switch {
	case addr.Zone() != "":
		a.family = special
	case addr.Is4():
		a.family = inet4
	case addr.IsValid():
		a.family = inet6
	default:
		a.family = noAddr
	}
}

func (a *asked) client() netip.AddrPort {
	switch a.family {
	case inet4:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(a.addr[12:])), a.port)
	case inet6:
		return netip.AddrPortFrom(netip.AddrFrom16(a.addr), a.port)
	case special:
		return a.common.client
	}
	return netip.AddrPort{}
}

// request returns the Request that a was set to.
func (a *asked) request() *Request {
	c := a.common
	return &Request{
		Protocol: c.protocol, Framing: c.framing, Version: c.version, Method: c.method, Scheme: c.scheme, RootPath: c.rootPath,
		Target: a.target, Headers: a.headers, Subprotocols: c.subprotocols,
		Client: a.client(), Server: c.server, Peer: c.peer, TLS: c.tls, Channel: c.channel,
	}
}
