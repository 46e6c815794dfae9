package middleware

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/portico-go/portico/protocol"
)

// SetCookie adds a Set-Cookie field to the connection's answer: an HTTP response,
// a WebSocket's 101, a refusal. A protocol whose answers have no headers, such as
// chat, leaves it out.
//
// An empty Path is "/" and a SameSite that was not set is Lax. A cookie that
// RenderCookie refuses is its error, and once the head is out SetCookie returns
// protocol.ErrHeadersSent. It is safe for concurrent use.
func SetCookie(scope *protocol.Scope, cookie http.Cookie) error {
	line, err := RenderCookie(cookie)
	if err != nil {
		return err
	}
	return scope.OnResponse(func(_ context.Context, head *protocol.Head) error {
		head.Header.Add("Set-Cookie", line)
		return nil
	})
}

// DeleteCookie adds a Set-Cookie field that makes the client forget the cookie
// called name. Path and domain must be those that it was set with (RFC 6265,
// section 5.3); an empty path is "/". Errors are as for SetCookie.
func DeleteCookie(scope *protocol.Scope, name, path, domain string) error {
	return SetCookie(scope, ExpiredCookie(http.Cookie{Name: name, Path: path, Domain: domain}))
}

// ExpiredCookie returns the cookie that makes a client forget the given one: with
// the same attributes, no value, and in the past.
func ExpiredCookie(cookie http.Cookie) http.Cookie {
	cookie.Value, cookie.MaxAge, cookie.Expires = "", -1, time.Unix(0, 0)
	return cookie
}

// RenderCookie returns the value of a Set-Cookie field (RFC 6265, section 4.1.1)
// with SetCookie's defaults. Errors are: a name that is no token, a value with
// characters other than the RFC's cookie-octets, attributes that are malformed,
// SameSite=None or Partitioned without Secure, and a name that begins with
// __Secure- or __Host- without what browsers demand for it. No error contains
// the value.
func RenderCookie(cookie http.Cookie) (string, error) {
	if cookie.Path == "" {
		cookie.Path = "/"
	}
	if cookie.SameSite == 0 || cookie.SameSite == http.SameSiteDefaultMode {
		cookie.SameSite = http.SameSiteLaxMode
	}
	if err := checkCookie(&cookie); err != nil {
		return "", fmt.Errorf("middleware: the cookie %.40q cannot be set: %w", cookie.Name, err)
	}
	return cookie.String(), nil
}

func checkCookie(c *http.Cookie) error {
	if !protocol.IsToken(c.Name) {
		return errors.New("its name is not a token (RFC 6265, section 4.1.1)")
	}
	for i := range len(c.Value) {
		if !cookieOctet(c.Value[i]) {
			return fmt.Errorf("its value has the byte %#02x at %d; encode the value, as base64 for example", c.Value[i], i)
		}
	}
	switch c.SameSite {
	case http.SameSiteLaxMode, http.SameSiteStrictMode:
	case http.SameSiteNoneMode:
		if !c.Secure {
			return errors.New("SameSite=None needs Secure, or browsers drop it")
		}
	default:
		return fmt.Errorf("SameSite is %d, which is none of net/http's", c.SameSite)
	}
	if err := checkCookiePrefix(c); err != nil {
		return err
	}
	return c.Valid() // path, domain, expiry, Partitioned
}

// checkCookiePrefix checks what browsers demand of names with a prefix
// (draft-ietf-httpbis-rfc6265bis, section 4.1.3).
func checkCookiePrefix(c *http.Cookie) error {
	switch {
	case strings.HasPrefix(c.Name, "__Secure-") && !c.Secure:
		return errors.New("a name with the prefix __Secure- needs Secure")
	case strings.HasPrefix(c.Name, "__Host-") && (!c.Secure || c.Domain != "" || c.Path != "/"):
		return errors.New("a name with the prefix __Host- needs Secure, the path / and no domain")
	}
	return nil
}

// cookieOctet reports whether b may stand in a cookie's value (RFC 6265, section
// 4.1.1).
func cookieOctet(b byte) bool {
	return b > ' ' && b < 0x7f && b != '"' && b != ',' && b != ';' && b != '\\'
}
