package router

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/portico-go/portico/protocol"
)

// maxWildcards is how many wildcards one pattern may have. A lookup keeps the
// captures of a pattern in an array of this length.
const maxWildcards = 16

// A pattern is a parsed pattern, [METHOD ][HOST]/[PATH].
type pattern struct {
	method   string // empty for every method
	host     string // in lower case; empty for every host
	path     string // as written
	segments []segment
	names    []string // of the wildcards, in order
}

// A segment is what stands between two slashes of a pattern.
type segment struct {
	kind segmentKind
	text string     // the literal, decoded, or the wildcard's name
	conv *Converter // of a wildcard; nil takes any segment that is not empty
}

type segmentKind uint8

const (
	literal segmentKind = iota
	wildcard
	rest // {name...}
)

// parsePattern parses a pattern. own are the converters that it may name besides
// the router's.
func parsePattern(text string, own []*Converter) (*pattern, error) {
	p := &pattern{}
	target := text
	if method, after, ok := strings.Cut(text, " "); ok {
		if !protocol.IsToken(method) || method != strings.ToUpper(method) {
			return nil, fmt.Errorf("%q is no method: before a space stands a method in capitals, and a space in a path is written %%20", method)
		}
		p.method, target = method, strings.TrimLeft(after, " ")
	}
	slash := strings.IndexByte(target, '/')
	if slash < 0 {
		return nil, errors.New(`it has no path: write [METHOD ][HOST]/[PATH], with a slash before the path`)
	}
	p.host, p.path = strings.ToLower(target[:slash]), target[slash:]
	if strings.Trim(p.host, "abcdefghijklmnopqrstuvwxyz0123456789.-_") != "" {
		return nil, fmt.Errorf("the host %q must be a plain name without a port", p.host)
	}
	texts := strings.Split(p.path[1:], "/")
	for i, text := range texts {
		seg, err := parseSegment(text, i == len(texts)-1, own)
		if err != nil {
			return nil, err
		}
		if err := p.add(seg); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// add appends a segment and counts its wildcard.
func (p *pattern) add(seg segment) error {
	p.segments = append(p.segments, seg)
	if seg.kind == literal {
		return nil
	}
	for _, name := range p.names {
		if name == seg.text {
			return fmt.Errorf("two wildcards are called %q", name)
		}
	}
	if len(p.names) == maxWildcards {
		return fmt.Errorf("it has more than %d wildcards", maxWildcards)
	}
	p.names = append(p.names, seg.text)
	return nil
}

func parseSegment(text string, last bool, own []*Converter) (segment, error) {
	switch {
	case text == "{$}" && last:
		return segment{kind: literal}, nil
	case text == "{$}":
		return segment{}, errors.New("{$} must be the end of the pattern")
	case strings.HasPrefix(text, "{") && strings.HasSuffix(text, "}"):
		return parseWildcard(text[1:len(text)-1], last, own)
	case strings.ContainsAny(text, "{}"):
		return segment{}, fmt.Errorf("in %q the wildcard must be the whole segment between two slashes; a brace that is none is written %%7B or %%7D", text)
	}
	return parseLiteral(text, last)
}

func parseWildcard(text string, last bool, own []*Converter) (segment, error) {
	name, many := strings.CutSuffix(text, "...")
	name, converter, converted := strings.Cut(name, ":")
	if !isIdentifier(name) {
		return segment{}, fmt.Errorf("the wildcard {%s} needs a name of letters, digits and underscores", text)
	}
	if many {
		switch {
		case converted:
			return segment{}, fmt.Errorf("{%s} takes any number of segments and no converter", text)
		case !last:
			return segment{}, fmt.Errorf("{%s} must be the end of the pattern", text)
		}
		return segment{kind: rest, text: name}, nil
	}
	seg := segment{kind: wildcard, text: name}
	if !converted || converter == plainConverter {
		return seg, nil
	}
	seg.conv = builtin(converter)
	for _, c := range own {
		if c.Name == converter {
			seg.conv = c
		}
	}
	if seg.conv == nil {
		return segment{}, fmt.Errorf("{%s} names a converter that is not known: it is none of int, uuid, slug and str, and the route was given none of that name with router.Convert", text)
	}
	return seg, nil
}

func parseLiteral(text string, last bool) (segment, error) {
	if text == "" && !last {
		return segment{}, errors.New("it has two slashes in a row")
	}
	if strings.ContainsAny(text, "?#") {
		return segment{}, fmt.Errorf("%q has a query or fragment: only paths are matched", text)
	}
	decoded, err := url.PathUnescape(text)
	if err != nil {
		return segment{}, fmt.Errorf("%q has a broken percent escape", text)
	}
	// What no request's path can have would be a route that is never reached.
	if _, _, _, err := protocol.SplitTarget("/" + url.PathEscape(decoded)); err != nil {
		return segment{}, fmt.Errorf("no path can have the segment %q: %w", text, err)
	}
	return segment{kind: literal, text: decoded}, nil
}

// asPrefix turns the pattern into that of a mount: without a slash at its end.
func (p *pattern) asPrefix() error {
	if strings.HasSuffix(p.path, "{$}") {
		return errors.New("the prefix of a mount must not end in {$}: use router.Path for one path")
	}
	last := len(p.segments) - 1
	switch seg := p.segments[last]; {
	case seg.kind == rest:
		return fmt.Errorf("the prefix of a mount must not end in {%s...}: what is behind the prefix is the mounted application's", seg.text)
	case seg.kind == literal && seg.text == "":
		p.segments = p.segments[:last]
	}
	return nil
}

// decode returns a segment, or several, without percent escapes. The scope has
// checked them.
func decode(raw string) string {
	if decoded, err := url.PathUnescape(raw); err == nil {
		return decoded
	}
	return raw
}
