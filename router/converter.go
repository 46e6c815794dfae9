package router

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// A Converter says which segments a wildcard takes: {id:int} takes those that the
// converter called "int" matches. A route gets converters of your own with
// Convert. A Converter must not be changed once a route has it.
type Converter struct {
	// Name is what stands behind the colon: a letter or underscore, then letters,
	// digits and underscores. It must not be int, uuid, slug or str.
	Name string
	// Match reports whether the wildcard takes a segment. The segment is decoded
	// and not empty; it comes from a client. Match is called concurrently, and
	// perhaps more than once for one lookup.
	Match func(segment string) bool
}

func (c *Converter) check() error {
	switch {
	case c == nil:
		return errors.New("a converter is nil")
	case !isIdentifier(c.Name):
		return fmt.Errorf("converter %q: the name must be a letter or underscore, then letters, digits and underscores", c.Name)
	case c.Name == plainConverter || builtin(c.Name) != nil:
		return fmt.Errorf("converter %q: the name is one of the router's own: choose another", c.Name)
	case c.Match == nil:
		return fmt.Errorf("converter %q: Match is nil", c.Name)
	}
	return nil
}

// plainConverter is the name of the converter that takes what a wildcard without
// a converter takes.
const plainConverter = "str"

// builtins are the router's own converters, those that take less first. They are
// never changed.
var builtins = [...]*Converter{
	{Name: "int", Match: isInt},
	{Name: "uuid", Match: isUUID},
	{Name: "slug", Match: isSlug},
}

func builtin(name string) *Converter {
	for _, c := range builtins {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// isInt takes decimal digits that fit an int, so that Int does not fail on what
// {id:int} captured.
func isInt(s string) bool {
	if s[0] < '0' || s[0] > '9' { // a sign
		return false
	}
	_, err := strconv.Atoi(s)
	return err == nil
}

// isUUID takes the text form of RFC 9562, section 4, in which hexadecimal digits
// may be of either case.
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'f') {
				return false
			}
		}
	}
	return true
}

// isSlug takes ASCII letters, digits, hyphens and underscores.
func isSlug(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool {
		return r >= 0x80 || r != '-' && r != '_' && !isDigit(byte(r)) && !isLetter(byte(r))
	}) < 0
}

// isIdentifier reports whether s may be the name of a wildcard or converter.
func isIdentifier(s string) bool {
	for i := range len(s) {
		if c := s[i]; c != '_' && !isLetter(c) && (i == 0 || !isDigit(c)) {
			return false
		}
	}
	return s != ""
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
