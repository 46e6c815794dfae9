package channellayer

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxName is the greatest length of a channel, group or event name, in bytes.
const MaxName = 255

// CheckName reports whether name may name a channel, a group or an event: any UTF-8 text of 1 to [MaxName] bytes
// without control characters (Unicode category Cc). E-mail addresses, paths and emoji are fine as they are.
// The error matches [ErrInvalidName] and says what is wrong.
func CheckName(name string) error {
	return checkName("name", name)
}

// checkName is CheckName with what the name is for, such as "group name".
func checkName(what, name string) error {
	fault := nameFault(name)
	if fault == "" {
		return nil
	}
	const shown = 64 // enough to recognise it; a log line must not grow with what a client sends
	if len(name) > shown {
		name = name[:shown] + "…"
	}
	return fmt.Errorf("%w: %s %q %s; a name is UTF-8 text of 1 to %d bytes without control characters",
		ErrInvalidName, what, name, fault, MaxName)
}

// nameFault says what is wrong with name, or nothing.
func nameFault(name string) string {
	switch {
	case name == "":
		return "is empty"
	case len(name) > MaxName:
		return fmt.Sprintf("has %d bytes", len(name))
	case !utf8.ValidString(name):
		return "is not UTF-8"
	}
	if at := strings.IndexFunc(name, unicode.IsControl); at >= 0 {
		return fmt.Sprintf("has a control character at byte %d", at)
	}
	return ""
}

const hexDigits = "0123456789abcdef"

// Token encodes a name as one token of letters, digits, "-" and "_", which is safe as part of a NATS subject and of a Redis
// key or channel. Every other byte, "_" included, becomes "_" and two lower-case hexadecimal digits. Different names have different tokens,
// and [ParseToken] goes back. A token is at most three times as long as its name.
func Token(name string) string {
	plain := 0
	for plain < len(name) && tokenByte(name[plain]) {
		plain++
	}
	if plain == len(name) {
		return name
	}
	var b strings.Builder
	b.Grow(len(name) + 2*(len(name)-plain))
	b.WriteString(name[:plain])
	for i := plain; i < len(name); i++ {
		if c := name[i]; tokenByte(c) {
			b.WriteByte(c)
		} else {
			b.WriteByte('_')
			b.WriteByte(hexDigits[c>>4])
			b.WriteByte(hexDigits[c&15])
		}
	}
	return b.String()
}

// ParseToken returns the name that token was made from. It accepts exactly what [Token] makes from valid names;
// the error matches [ErrInvalidName].
func ParseToken(token string) (string, error) {
	if len(token) > 3*MaxName {
		return "", fmt.Errorf("%w: a token has at most %d bytes, this one %d", ErrInvalidName, 3*MaxName, len(token))
	}
	var b strings.Builder
	b.Grow(len(token))
	for i := 0; i < len(token); i++ {
		c := token[i]
		if c == '_' {
			var ok bool
			if c, ok = unescape(token[i+1:]); !ok {
				return "", fmt.Errorf("%w: token %q: expected two lower-case hexadecimal digits of an escaped byte at %d", ErrInvalidName, token, i+1)
			}
			i += 2
		} else if !tokenByte(c) {
			return "", fmt.Errorf("%w: token %q: byte %#02x at %d must be escaped", ErrInvalidName, token, c, i)
		}
		b.WriteByte(c)
	}
	name := b.String()
	return name, checkName("name", name)
}

// unescape reads the two digits at the start of s. It refuses an escape of a byte that needs none, so that
// each name has one token only.
func unescape(s string) (byte, bool) {
	if len(s) < 2 {
		return 0, false
	}
	hi, lo := strings.IndexByte(hexDigits, s[0]), strings.IndexByte(hexDigits, s[1])
	if hi < 0 || lo < 0 {
		return 0, false
	}
	c := byte(hi<<4 | lo)
	return c, !tokenByte(c)
}

func tokenByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-'
}
