package session

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/portico-go/portico/middleware"
	"github.com/portico-go/portico/protocol"
)

// A Config says how sessions and their cookies live. The zero value is safe.
type Config struct {
	// Cookie is the name of the cookie. Default "sessionid".
	Cookie string
	// Lifetime is how long a session lives after it began, or after its token was
	// renewed, as at a login. Default 14 days.
	Lifetime time.Duration
	// IdleTimeout ends a session that was not used for so long. It is written anew
	// when a tenth of it has passed since the last time. A long connection uses its
	// session when it first reads it, not for as long as it lasts. 0 is no such limit.
	IdleTimeout time.Duration
	// SaveEveryRequest saves each session that comes with a request when that is
	// answered, so that its Lifetime begins anew. Else only changed sessions are.
	SaveEveryRequest bool
	// UntilBrowserCloses leaves Expires and Max-Age out of the cookie, so that
	// browsers forget it when they close. The other limits hold as well.
	UntilBrowserCloses bool

	// Path of the cookie. Default "/".
	Path string
	// Domain of the cookie. Empty is the host alone, without its subdomains.
	Domain string
	// Secure says whether browsers may send the cookie over TLS only.
	Secure SecureMode
	// SameSite is Lax if it is not set. None needs Secure: SecureAlways.
	SameSite http.SameSite
	// InsecureScripts lets scripts in the page read the cookie: no HttpOnly.
	InsecureScripts bool

	// OnIgnored is told when a client's cookie did not stand for a session: it was
	// forged, damaged, expired, or deleted. It must be safe for concurrent use. The
	// error does not contain the cookie. nil is nobody.
	OnIgnored func(err error)
}

// A SecureMode says when a cookie has the attribute Secure.
type SecureMode uint8

// The modes of Config.Secure.
const (
	SecureAuto    SecureMode = iota // when the request came over TLS
	SecureAlways                    // also behind a proxy that speaks TLS for the server
	InsecureNever                   // the cookie may travel in clear text
)

func (c Config) withDefaults() Config {
	if c.Cookie == "" {
		c.Cookie = "sessionid"
	}
	if c.Lifetime == 0 {
		c.Lifetime = 14 * 24 * time.Hour
	}
	if c.Path == "" {
		c.Path = "/"
	}
	if c.OnIgnored == nil {
		c.OnIgnored = func(error) {}
	}
	return c
}

// check returns what is wrong with a Config that has its defaults.
func (c *Config) check() error {
	if c.Lifetime < 0 || c.IdleTimeout < 0 {
		return errors.New("session: Config.Lifetime and IdleTimeout must not be negative")
	}
	if c.Secure > InsecureNever {
		return fmt.Errorf("session: Config.Secure is %d, which is none of the package's modes", c.Secure)
	}
	cookie := c.cookie("value", c.Secure == SecureAlways, time.Now())
	if _, err := middleware.RenderCookie(cookie); err != nil {
		return fmt.Errorf("session: in Config: %w", err)
	}
	return nil
}

// cookie returns the session's cookie.
func (c *Config) cookie(value string, secure bool, expires time.Time) http.Cookie {
	cookie := http.Cookie{
		Name:     c.Cookie,
		Value:    value,
		Path:     c.Path,
		Domain:   c.Domain,
		Secure:   secure,
		HttpOnly: !c.InsecureScripts,
		SameSite: c.SameSite,
	}
	if !c.UntilBrowserCloses {
		cookie.Expires = expires
		cookie.MaxAge = max(1, int((time.Until(expires)+time.Second-1)/time.Second))
	}
	return cookie
}

// secure reports whether a cookie of this scope is Secure.
func (c *Config) secure(scope *protocol.Scope) bool {
	switch c.Secure {
	case SecureAlways:
		return true
	case InsecureNever:
		return false
	}
	return scope.Scheme() == "https" || scope.Scheme() == "wss" || scope.TLS() != nil
}

// expiry returns when a session that is saved now ends.
func (c *Config) expiry(created, now time.Time) time.Time {
	end := created.Add(c.Lifetime)
	if c.IdleTimeout > 0 && now.Add(c.IdleTimeout).Before(end) {
		return now.Add(c.IdleTimeout)
	}
	return end
}

// renewal reports whether an idle limit is to be pushed back.
func (c *Config) renewal(r record, now time.Time) bool {
	return c.IdleTimeout > 0 && c.expiry(r.created, now).Sub(r.expires) > c.IdleTimeout/10
}
