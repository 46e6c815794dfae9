package chat

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/portico-go/portico/protocol"
)

// A handshake collects the lines of a connection up to /join.
//
// What it refuses it refuses at that line, and never says what was in it: that may
// be half a password, and reasons are logged.
type handshake struct {
	allowed []string // names that /header may set
	maxLine int
	left    int // bytes that the handshake may still have

	fields  protocol.Fields
	cookies []string // "name=value"
}

// Decode implements protocol.Handshake.
func (h *handshake) Decode(in []byte) (req *protocol.Request, n int, err error) {
	for req == nil && err == nil {
		rest := in[n:]
		window := rest[:min(len(rest), h.left)]
		line, used, ok := cutLine(window, h.maxLine)
		switch {
		case !ok:
			return nil, n, protocol.Rejectf(http.StatusBadRequest, "a line has more than %d bytes", h.maxLine)
		case used == 0 && len(window) < len(rest):
			return nil, n, protocol.Rejectf(http.StatusRequestHeaderFieldsTooLarge, "the handshake is too long")
		case used == 0:
			return nil, n, nil
		}
		n += used
		h.left -= used
		req, err = h.command(line)
	}
	return req, n, err
}

// command takes one line. It returns a request for /join.
func (h *handshake) command(line []byte) (*protocol.Request, error) {
	if !utf8.Valid(line) {
		return nil, badLine("a line is not UTF-8")
	}
	if bytes.ContainsFunc(line, isUnsafe) {
		return nil, badLine("a line has a control character")
	}
	name, arg, _ := strings.Cut(string(line), " ")
	arg = strings.Trim(arg, " \t")
	switch name {
	case "/nick":
		return nil, h.nick(arg)
	case "/pass":
		return nil, h.pass(arg)
	case "/token":
		return nil, h.token(arg)
	case "/cookie":
		return nil, h.cookie(arg)
	case "/header":
		return nil, h.header(arg)
	case "/join":
		return h.join(arg)
	}
	return nil, badLine("expected /nick, /pass, /token, /cookie, /header or /join")
}

func badLine(reason string) error {
	return &protocol.Reject{Status: http.StatusBadRequest, Reason: reason}
}

// nick takes a name that can stand between < and > at the beginning of a line
// without being taken for something else.
func (h *handshake) nick(name string) error {
	const most = 64 // characters
	first, _ := utf8.DecodeRuneInString(name)
	if name == "" || utf8.RuneCountInString(name) > most || strings.ContainsFunc(name, notInNick) || unicode.IsMark(first) {
		return badLine("a nick has 1 to 64 visible characters, without spaces, < and >")
	}
	return h.once("Nick", name, "/nick")
}

func notInNick(r rune) bool {
	return r == '<' || r == '>' || unicode.IsSpace(r) || !unicode.IsGraphic(r)
}

func (h *handshake) pass(secret string) error {
	if secret == "" {
		return badLine("/pass needs a password")
	}
	return h.once("Pass", secret, "/pass")
}

// token takes a bearer token (RFC 6750, section 2.1).
func (h *handshake) token(token string) error {
	body := strings.TrimRight(token, "=")
	if body == "" || strings.ContainsFunc(body, notInToken) {
		return badLine("/token needs a token of letters, digits and -._~+/ with = at the end only")
	}
	return h.once("Authorization", "Bearer "+token, "/token")
}

func notInToken(r rune) bool {
	alphanumeric := '0' <= r && r <= '9' || 'A' <= r && r <= 'Z' || 'a' <= r && r <= 'z'
	return !alphanumeric && !strings.ContainsRune("-._~+/", r)
}

// cookie takes one cookie (RFC 6265, section 4.1.1), more lenient about the value
// than a server that sets it should be.
func (h *handshake) cookie(pair string) error {
	name, value, ok := strings.Cut(pair, "=")
	if !ok || !protocol.IsToken(name) || strings.ContainsFunc(value, notInCookie) {
		return badLine("/cookie needs NAME=VALUE, of printable ASCII without spaces and semicolons")
	}
	if slices.ContainsFunc(h.cookies, func(c string) bool { return strings.HasPrefix(c, name+"=") }) {
		return badLine("a cookie was given twice")
	}
	h.cookies = append(h.cookies, pair)
	return nil
}

func notInCookie(r rune) bool { return r <= ' ' || r >= 0x7f || r == ';' }

func (h *handshake) header(field string) error {
	name, value, ok := strings.Cut(field, ":")
	i := slices.IndexFunc(h.allowed, func(s string) bool { return strings.EqualFold(s, name) })
	if !ok || i < 0 {
		return badLine("/header needs NAME: VALUE, with a name that this server lists")
	}
	h.fields.Add(h.allowed[i], strings.Trim(value, " \t"))
	return nil
}

// once adds a field that may come but once.
func (h *handshake) once(name, value, command string) error {
	if h.fields.Get(name) != "" {
		return badLine(command + " was given twice")
	}
	h.fields.Add(name, value)
	return nil
}

// join ends the handshake.
func (h *handshake) join(target string) (*protocol.Request, error) {
	if _, _, _, err := protocol.SplitTarget(target); err != nil {
		return nil, badLine(strings.TrimPrefix(err.Error(), "protocol: "))
	}
	if len(h.cookies) > 0 {
		h.fields.Add("Cookie", strings.Join(h.cookies, "; "))
	}
	headers, err := protocol.NewHeaders(h.fields)
	if err != nil {
		return nil, badLine("a value cannot be sent as a header")
	}
	return &protocol.Request{
		Protocol: Name,
		Framing:  protocol.FramingLine,
		Scheme:   Name,
		Target:   target,
		Headers:  headers,
	}, nil
}
