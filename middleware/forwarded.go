package middleware

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/portico-go/portico/protocol"
)

// A hop is what one proxy says of the connection that it got: who is at its other
// end, and what was asked for there. Empty is unknown.
type hop struct {
	node, proto, host string
	said              bool // there is something, if only what is of no use here
}

// parseForwarded reads the Forwarded headers (RFC 7239, section 4), whose hops
// stand in the order of the proxies. It reports whether they are well-formed: in
// one that is not, nobody knows what a client wrote and what a proxy.
func parseForwarded(h protocol.Headers) (hops []hop, ok bool) {
	for rest := range h.Values("Forwarded") {
		for rest != "" {
			var current hop
			if current, rest, ok = parseHop(rest); !ok {
				return nil, false
			}
			if current.said {
				hops = append(hops, current)
			}
		}
	}
	return hops, true
}

// parseHop reads one element, name=value pairs between semicolons, and the comma
// behind it.
func parseHop(s string) (h hop, rest string, ok bool) {
	for {
		s = strings.TrimLeft(s, " \t")
		if name, after, found := strings.Cut(s, "="); found && protocol.IsToken(name) {
			var value string
			if value, s, ok = cutForwardedValue(after); !ok || !h.set(name, value) {
				return h, "", false
			}
			h.said = true
			s = strings.TrimLeft(s, " \t")
		}
		switch {
		case s == "":
			return h, "", true
		case s[0] == ',':
			return h, s[1:], true
		case s[0] != ';':
			return h, "", false
		}
		s = s[1:]
	}
}

// set remembers the value of a pair and reports whether it is the first one.
func (h *hop) set(name, value string) bool {
	var field *string
	switch {
	case strings.EqualFold(name, "for"):
		field = &h.node
	case strings.EqualFold(name, "proto"):
		field = &h.proto
	case strings.EqualFold(name, "host"):
		field = &h.host
	default:
		return true
	}
	if *field != "" || value == "" {
		return false
	}
	*field = value
	return true
}

// cutForwardedValue reads a quoted string, or else what stands up to a delimiter:
// many proxies do not quote the colon of a port.
func cutForwardedValue(s string) (value, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		n := strings.IndexAny(s, ";, \t")
		if n < 0 {
			n = len(s)
		}
		return s[:n], s[n:], !strings.Contains(s[:n], `"`)
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:], true
		case '\\':
			if i++; i == len(s) {
				return "", "", false
			}
		}
		b.WriteByte(s[i])
	}
	return "", "", false
}

// xForwarded reads the X-Forwarded headers. Proxies append to the list of For; the
// other headers may have one value for all of them, or one for each. Any value is
// well-formed.
func xForwarded(h protocol.Headers) (hops []hop, ok bool) {
	nodes := list(h, "X-Forwarded-For")
	protos, hosts, ports := list(h, "X-Forwarded-Proto"), list(h, "X-Forwarded-Host"), list(h, "X-Forwarded-Port")
	hops = make([]hop, max(len(nodes), len(protos), len(hosts), len(ports)))
	for i := range hops {
		behind := len(hops) - i // counted from the server
		hops[i] = hop{
			node:  fromEnd(nodes, behind),
			proto: fromEnd(protos, behind),
			host:  withPort(fromEnd(hosts, behind), fromEnd(ports, behind)),
		}
	}
	return hops, true
}

// list returns the comma-separated values of a header.
func list(h protocol.Headers, name string) (values []string) {
	for v := range h.Values(name) {
		for item := range strings.SplitSeq(v, ",") {
			values = append(values, strings.Trim(item, " \t"))
		}
	}
	return values
}

// fromEnd returns the n-th value from the end, or "".
func fromEnd(values []string, n int) string {
	if n > len(values) {
		return ""
	}
	return values[len(values)-n]
}

// withPort adds a port to a host that has none. A port alone is ":8443".
func withPort(host, port string) string {
	if !isPort(port) {
		return host
	}
	if _, own, ok := splitAuthority(host); host != "" && (!ok || own != "") {
		return host
	}
	return host + ":" + port
}

// A forwarding is what the trusted proxies say, taken together.
type forwarding struct {
	client netip.AddrPort
	proto  string
	host   string
}

// walk follows the hops from the server's peer on, as long as it was a trusted
// proxy that wrote the next one.
func (t *trustedPeers) walk(peer netip.AddrPort, hops []hop) forwarding {
	f := forwarding{client: peer}
	for _, h := range slices.Backward(hops) {
		if h.proto != "" {
			f.proto = h.proto
		}
		if h.host != "" {
			f.host = h.host
		}
		node, ok := parseNode(h.node)
		if ok {
			f.client = node
		}
		if !ok || !t.has(node.Addr()) {
			break
		}
	}
	return f
}

// parseNode reads an address with or without a port: RFC 7239, section 6, and an
// IPv6 address without brackets, as X-Forwarded-For has it. "unknown" and made-up
// names are none.
func parseNode(s string) (netip.AddrPort, bool) {
	if node, err := netip.ParseAddrPort(s); err == nil {
		return netip.AddrPortFrom(node.Addr().Unmap(), node.Port()), node.Addr().Zone() == ""
	}
	bare, bracket := strings.CutPrefix(s, "[")
	if bracket {
		var closed bool
		if bare, closed = strings.CutSuffix(bare, "]"); !closed {
			return netip.AddrPort{}, false
		}
	}
	addr, err := netip.ParseAddr(bare)
	if err != nil || addr.Zone() != "" || bracket && !addr.Is6() {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(addr.Unmap(), 0), true
}
