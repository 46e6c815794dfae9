package middleware

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// A hostPattern is one entry of a list of hosts or origins:
//
//   - everything
//     example.com           the host, with any scheme and port
//     .example.com          the host and its subdomains
//     example.com:8000      the host with that port
//     https://example.com   that scheme and its default port, or the port that is given
//     [::1]                 an IPv6 address, in brackets
type hostPattern struct {
	any    bool
	scheme string // "" is any
	host   string // lower case, without brackets
	sub    bool   // subdomains too
	port   string // "" is any, unless there is a scheme
}

// parseHostPatterns returns the patterns that are right, and one error about all
// that are not.
func parseHostPatterns(texts []string) ([]hostPattern, error) {
	var patterns []hostPattern
	var errs []error
	for _, text := range texts {
		p, err := parseHostPattern(text)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		patterns = append(patterns, p)
	}
	return patterns, errors.Join(errs...)
}

func parseHostPattern(text string) (hostPattern, error) {
	if text == "*" {
		return hostPattern{any: true}, nil
	}
	var p hostPattern
	rest := strings.ToLower(text)
	if scheme, after, ok := strings.Cut(rest, "://"); ok {
		if !isScheme(scheme) {
			return p, fmt.Errorf("middleware: the pattern %q has no valid scheme before ://", text)
		}
		p.scheme, rest = scheme, after
	}
	rest, p.sub = strings.CutPrefix(rest, ".")
	var ok bool
	if p.host, p.port, ok = splitAuthority(rest); !ok {
		return p, fmt.Errorf("middleware: the pattern %q is no host: want host, .host for its subdomains too, "+
			"host:port, scheme://host or *, in ASCII, with IPv6 addresses in brackets", text)
	}
	if p.scheme != "" && p.port == "" {
		p.port = defaultPort(p.scheme)
	}
	return p, nil
}

// matches reports whether a host that splitAuthority found is the pattern's. A
// port that was not given is to be the scheme's default.
func (p *hostPattern) matches(scheme, host, port string) bool {
	switch {
	case p.any:
		return true
	case p.scheme != "" && (port != p.port || !strings.EqualFold(scheme, p.scheme)):
		return false
	case p.port != "" && port != p.port:
		return false
	}
	if n := len(host) - len(p.host); p.sub && n > 0 && host[n-1] == '.' {
		host = host[n:]
	}
	return strings.EqualFold(host, p.host)
}

func matchAny(patterns []hostPattern, scheme, host, port string) bool {
	for i := range patterns {
		if patterns[i].matches(scheme, host, port) {
			return true
		}
	}
	return false
}

// splitOrigin splits what an Origin header has for a web page (RFC 6454, section
// 6.1): scheme, host and port, and nothing else. It does not allocate.
func splitOrigin(s string) (scheme, host, port string, ok bool) {
	scheme, rest, _ := strings.Cut(s, "://")
	if !isScheme(scheme) {
		return "", "", "", false
	}
	if host, port, ok = splitAuthority(rest); ok && port == "" {
		port = defaultPort(scheme)
	}
	return scheme, host, port, ok
}

// splitAuthority splits "host", "host:port", "[v6]" and "[v6]:port", as a Host
// header has them (RFC 9110, section 7.2). The brackets of an IPv6 address and the
// dot at the end of a full name are left out. It does not allocate.
func splitAuthority(s string) (host, port string, ok bool) {
	if v6, after, found := strings.Cut(s, "]"); found && s[0] == '[' {
		addr, err := netip.ParseAddr(v6[1:])
		if err != nil || !addr.Is6() || addr.Zone() != "" {
			return "", "", false
		}
		port, found = strings.CutPrefix(after, ":")
		return v6[1:], port, after == "" || found && isPort(port)
	}
	host, port, hasPort := strings.Cut(s, ":")
	if hasPort && !isPort(port) {
		return "", "", false
	}
	host = strings.TrimSuffix(host, ".")
	return host, port, isHostName(host)
}

// isHostName reports whether s is a name or an IPv4 address: labels of letters,
// digits, hyphens and underscores.
func isHostName(s string) bool {
	const longest = 253 // RFC 1035, section 2.3.4, without the root's label
	if len(s) > longest {
		return false
	}
	label := 0
	for i := range len(s) {
		c := s[i]
		switch {
		case c == '.' && label > 0:
			label = 0
		case 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_':
			label++
		default:
			return false
		}
	}
	return label > 0
}

func isPort(s string) bool {
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
		if n = n*10 + int(s[i]-'0'); n > 65535 {
			return false
		}
	}
	return s != "" && s[0] != '0'
}

// isScheme reports whether s is a URI scheme (RFC 3986, section 3.1).
func isScheme(s string) bool {
	for i := range len(s) {
		c := s[i] | 0x20
		if 'a' <= c && c <= 'z' {
			continue
		}
		if c = s[i]; i == 0 || (c < '0' || c > '9') && c != '+' && c != '-' && c != '.' {
			return false
		}
	}
	return s != ""
}

func defaultPort(scheme string) string {
	switch {
	case isSecure(scheme):
		return "443"
	case strings.EqualFold(scheme, "http"), strings.EqualFold(scheme, "ws"):
		return "80"
	}
	return ""
}

func isSecure(scheme string) bool {
	return strings.EqualFold(scheme, "https") || strings.EqualFold(scheme, "wss")
}
