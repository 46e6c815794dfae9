package middleware

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/portico-go/portico/protocol"
)

// trustedPeers are the proxies that a configuration names.
type trustedPeers struct {
	prefixes []netip.Prefix
	unix     bool // whoever connects to a unix socket
}

// parsePeers reads a list of addresses, "10.1.2.3", of networks, "10.0.0.0/8", and
// of the word "unix". What is wrong in it trusts nobody.
func parsePeers(texts []string) (trustedPeers, error) {
	var t trustedPeers
	var errs []error
	for _, text := range texts {
		if text == "unix" {
			t.unix = true
			continue
		}
		p, err := parsePeer(text)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		t.prefixes = append(t.prefixes, p)
	}
	return t, errors.Join(errs...)
}

func parsePeer(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil || p.Addr().Is4In6() {
		return p, fmt.Errorf(`middleware: %q is no trusted proxy: want an address, a network such as "10.0.0.0/8", or "unix"`, text)
	}
	return p.Masked(), nil
}

// has reports whether the address is a trusted one.
func (t *trustedPeers) has(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	for _, p := range t.prefixes {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// sent reports whether a trusted proxy is at the other end of a connection, and
// the connection is of a protocol whose headers a proxy writes.
func (t *trustedPeers) sent(scope *protocol.Scope, peer netip.AddrPort) bool {
	if !isHTTP(scope) {
		return false
	}
	return t.unix && !peer.IsValid() || t.has(peer.Addr())
}
