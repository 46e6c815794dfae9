package protocol

import (
	"errors"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// SplitTarget splits a request target in origin form, "/path?query", and checks
// and decodes its path; every protocol uses it, so that all agree on what a path
// is. rawPath and query stay as they came.
//
// A target that does not start with a slash, a byte outside of printable ASCII,
// a broken percent escape, an escaped control character or one that is not
// UTF-8, and a "." or ".." segment, escaped or not, are errors.
func SplitTarget(target string) (path, rawPath, query string, err error) {
	if target == "" || target[0] != '/' {
		return "", "", "", errors.New(`protocol: a path must start with "/"`)
	}
	rawPath, query, _ = strings.Cut(target, "?")
	escaped, dotted := false, false
	for i := range len(target) {
		switch c := target[i]; {
		case c <= ' ' || c >= 0x7f:
			return "", "", "", errors.New("protocol: a path or query must be printable ASCII, with anything else percent-encoded")
		case c == '%':
			escaped = escaped || i < len(rawPath)
		case c == '.':
			dotted = dotted || i < len(rawPath)
		}
	}
	path = rawPath
	if escaped {
		if path, err = decodePath(rawPath); err != nil {
			return "", "", "", err
		}
	}
	if (dotted || escaped) && hasDotSegment(path) {
		return "", "", "", errors.New(`protocol: a path must have no "." or ".." segment`)
	}
	return path, rawPath, query, nil
}

func decodePath(raw string) (string, error) {
	path, err := url.PathUnescape(raw)
	if err != nil {
		return "", errors.New("protocol: a path has a broken percent escape")
	}
	if !utf8.ValidString(path) {
		return "", errors.New("protocol: a percent-decoded path must be UTF-8")
	}
	if strings.ContainsFunc(path, unicode.IsControl) {
		return "", errors.New("protocol: a path must have no control characters")
	}
	return path, nil
}

func hasDotSegment(path string) bool {
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}
