package server

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"strconv"
	"strings"
)

// maxProxyHeader bounds a PROXY header. Version 1 has 107 bytes at the most,
// version 2 a few hundred with all the extensions there are.
const maxProxyHeader = 4096

// The beginnings of the two versions (PROXY protocol, sections 2.1 and 2.2).
const (
	proxyV1 = "PROXY "
	proxyV2 = "\r\n\r\n\x00\r\nQUIT\n"
)

var errBadProxyHeader = errors.New("server: the proxy sent no valid PROXY protocol header: make it send one, or take it out of Listener.ProxyProtocol")

// A proxyHeader is what a proxy says of the connection that it forwards.
type proxyHeader struct {
	// client and server are the ends of the connection to the proxy; not valid if
	// the proxy says nothing of them, as with a health check of its own.
	client, server netip.AddrPort
}

// readProxyHeader takes the addresses from the PROXY header in front.
func (c *conn) readProxyHeader() error {
	for {
		h, n, err := parseProxyHeader(c.prefix)
		if err != nil {
			return err
		}
		if n > 0 {
			c.prefix = c.prefix[n:]
			if h.client.IsValid() {
				c.client, c.server = h.client, h.server
			}
			return nil
		}
		if err := c.more(maxProxyHeader); err != nil {
			return err
		}
	}
}

// parseProxyHeader parses the PROXY header at the beginning of b and returns its
// length, 0 if more bytes are needed.
func parseProxyHeader(b []byte) (h proxyHeader, n int, err error) {
	switch {
	case hasStart(b, proxyV2):
		return parseProxyV2(b)
	case hasStart(b, proxyV1):
		return parseProxyV1(b)
	}
	return h, 0, errBadProxyHeader
}

// hasStart reports whether b begins with start, as far as b goes.
func hasStart(b []byte, start string) bool {
	n := min(len(b), len(start))
	return string(b[:n]) == start[:n]
}

// parseProxyV1 parses "PROXY TCP4 SOURCE DESTINATION PORT PORT\r\n" (section 2.1).
func parseProxyV1(b []byte) (h proxyHeader, n int, err error) {
	const most = 107
	end := bytes.Index(b, []byte("\r\n"))
	switch {
	case end < 0 && len(b) < most:
		return h, 0, nil
	case end < 0 || end+2 > most:
		return h, 0, errBadProxyHeader
	}
	fields := strings.Split(string(b[:end]), " ")
	if len(fields) >= 2 && fields[1] == "UNKNOWN" {
		return h, end + 2, nil
	}
	if len(fields) != 6 || fields[1] != "TCP4" && fields[1] != "TCP6" {
		return h, 0, errBadProxyHeader
	}
	client, ok1 := parseEnd(fields[2], fields[4], fields[1] == "TCP4")
	server, ok2 := parseEnd(fields[3], fields[5], fields[1] == "TCP4")
	if !ok1 || !ok2 {
		return h, 0, errBadProxyHeader
	}
	return proxyHeader{client, server}, end + 2, nil
}

func parseEnd(ip, port string, v4 bool) (netip.AddrPort, bool) {
	addr, err := netip.ParseAddr(ip)
	if err != nil || addr.Is4() != v4 || addr.Zone() != "" {
		return netip.AddrPort{}, false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || port[0] == '0' && port != "0" {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(addr.Unmap(), uint16(n)), true
}

// parseProxyV2 parses the binary form (section 2.2). Extensions behind the
// addresses are passed over.
func parseProxyV2(b []byte) (h proxyHeader, n int, err error) {
	const fixed = len(proxyV2) + 4
	if len(b) < fixed {
		return h, 0, nil
	}
	versionCommand, family := b[len(proxyV2)], b[len(proxyV2)+1]
	n = fixed + int(binary.BigEndian.Uint16(b[len(proxyV2)+2:]))
	if versionCommand>>4 != 2 || versionCommand&0xf > 1 || n > maxProxyHeader {
		return h, 0, errBadProxyHeader
	}
	if len(b) < n {
		return h, 0, nil
	}
	if versionCommand&0xf == 0 { // LOCAL: the proxy speaks for itself
		return h, n, nil
	}
	var size int
	switch family {
	case 0x11: // TCP over IPv4
		size = 4
	case 0x21: // TCP over IPv6
		size = 16
	default: // UNSPEC, unix sockets, datagrams: nothing that is of use
		return h, n, nil
	}
	addrs := b[fixed:n]
	if len(addrs) < 2*size+4 {
		return h, 0, errBadProxyHeader
	}
	client, _ := netip.AddrFromSlice(addrs[:size])
	server, _ := netip.AddrFromSlice(addrs[size : 2*size])
	ports := addrs[2*size:]
	return proxyHeader{
		client: netip.AddrPortFrom(client.Unmap(), binary.BigEndian.Uint16(ports)),
		server: netip.AddrPortFrom(server.Unmap(), binary.BigEndian.Uint16(ports[2:])),
	}, n, nil
}
