package server

import "net/netip"

// ParseProxyHeader is parseProxyHeader for its table and fuzz tests.
func ParseProxyHeader(b []byte) (client, server netip.AddrPort, n int, err error) {
	h, n, err := parseProxyHeader(b)
	return h.client, h.server, n, err
}
