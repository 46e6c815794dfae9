package protocol

import (
	"errors"
	"fmt"
	"iter"
	"strings"
	"unicode/utf8"
)

// Headers are the header fields that a client sent, in order and with
// duplicates, kept as the one block that came over the wire. Names compare
// without regard to case. The zero value has no fields. Headers are immutable
// and safe for concurrent use; looking a field up does not allocate.
type Headers struct{ block string }

// ParseHeaders checks a header section as RFC 9112, section 5 has it: lines
// "name: value" that end in CRLF (a bare LF is taken for one) up to the end of
// the block or an empty line. The block is kept, not copied.
//
// A name that is no token, a line that continues another one, and a control
// character in a value (NEL, a lone 0x85, among them: text tools take it for a
// line break, which is how headers are smuggled) are errors.
func ParseHeaders(block string) (Headers, error) {
	return parseHeaders(block, false, func(string, string) error { return nil })
}

// ParseHeadersFunc is ParseHeaders for a section that came through proxies, which
// do not agree on what a bare LF is (RFC 9112, section 2.2): it is an error. see is
// called for each field; its error is returned.
func ParseHeadersFunc(block string, see func(name, value string) error) (Headers, error) {
	return parseHeaders(block, true, see)
}

func parseHeaders(block string, strict bool, see func(name, value string) error) (Headers, error) {
	for rest := block; rest != ""; {
		colon, end, next := scanField(rest)
		if colon < 0 { // an empty line, or one that needs a closer look
			line, behind := cutLine(rest)
			colon, end, next = strings.IndexByte(line, ':'), len(line), len(rest)-len(behind)
			if line != "" {
				if err := checkFieldLine(line); err != nil {
					return Headers{}, err
				}
			}
		}
		if strict && next-end != len("\r\n") {
			return Headers{}, errors.New("protocol: a header line ends in a bare line feed")
		}
		if end == 0 {
			block = block[:len(block)-len(rest)+next]
			break
		}
		if err := see(rest[:colon], trimSpace(rest[colon+1:end])); err != nil {
			return Headers{}, err
		}
		rest = rest[next:]
	}
	return Headers{block: block}, nil
}

// scanField returns where in s the name of an ordinary field ends, where its line,
// and where the next one begins. colon is -1 if it needs a closer look.
func scanField(s string) (colon, end, next int) {
	i := 0
	for i < len(s) && byteKind[s[i]]&tokenByte != 0 {
		i++
	}
	if i == 0 || i == len(s) || s[i] != ':' {
		return -1, 0, 0
	}
	for colon = i; i < len(s) && byteKind[s[i]]&textByte != 0; {
		i++
	}
	switch end = i; {
	case strings.HasPrefix(s[end:], "\r\n"):
		return colon, end, end + 2
	case end == len(s):
		return colon, end, end
	}
	return -1, 0, 0
}

// NewHeaders returns the fields as a header section, after the checks of
// ParseHeaders. Protocols whose handshake is not a header section use it.
func NewHeaders(fields Fields) (Headers, error) {
	var b strings.Builder
	for _, f := range fields {
		if err := checkField(f.Name, f.Value); err != nil {
			return Headers{}, err
		}
		b.WriteString(f.Name)
		b.WriteString(": ")
		b.WriteString(f.Value)
		b.WriteString("\r\n")
	}
	return Headers{block: b.String()}, nil
}

// Get returns the value of the first field called name, or "".
func (h Headers) Get(name string) string {
	v, _ := h.Lookup(name)
	return v
}

// Lookup returns the value of the first field called name and whether there is
// one.
func (h Headers) Lookup(name string) (string, bool) {
	for rest := h.block; rest != ""; {
		var line string
		line, rest = cutLine(rest)
		if value, ok := valueOf(line, name); ok {
			return value, true
		}
	}
	return "", false
}

// Values yields the values of all fields called name, in order.
func (h Headers) Values(name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for rest := h.block; rest != ""; {
			var line string
			line, rest = cutLine(rest)
			if value, ok := valueOf(line, name); ok && !yield(value) {
				return
			}
		}
	}
}

// valueOf returns the value of a line if its field is called name.
func valueOf(line, name string) (string, bool) {
	if len(line) > len(name) && line[len(name)] == ':' && strings.EqualFold(line[:len(name)], name) {
		return trimSpace(line[len(name)+1:]), true
	}
	return "", false
}

// Contains reports whether a field called name has token among its
// comma-separated values, without regard to case (RFC 9110, section 5.6.1).
func (h Headers) Contains(name, token string) bool {
	for v := range h.Values(name) {
		if HasToken(v, token) {
			return true
		}
	}
	return false
}

// HasToken reports whether token is in a comma-separated list, without regard to case.
func HasToken(list, token string) bool {
	for item := range strings.SplitSeq(list, ",") {
		if strings.EqualFold(trimSpace(item), token) {
			return true
		}
	}
	return false
}

// All yields every field, in order, with names as the client wrote them.
func (h Headers) All() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for rest := h.block; rest != ""; {
			var line string
			line, rest = cutLine(rest)
			name, value, _ := strings.Cut(line, ":")
			if name != "" && !yield(name, trimSpace(value)) {
				return
			}
		}
	}
}

// lines yields every field's line as it is, its end included, with the field's name.
func (h Headers) lines() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for rest := h.block; rest != ""; {
			var line string
			before := rest
			line, rest = cutLine(rest)
			name, _, _ := strings.Cut(line, ":")
			if name != "" && !yield(name, before[:len(before)-len(rest)]) {
				return
			}
		}
	}
}

// Len returns the number of fields.
func (h Headers) Len() int {
	n := 0
	for range h.All() {
		n++
	}
	return n
}

func cutLine(s string) (line, rest string) {
	end := strings.IndexByte(s, '\n')
	if end < 0 {
		return strings.TrimSuffix(s, "\r"), ""
	}
	if line, rest = s[:end], s[end+1:]; end > 0 && line[end-1] == '\r' {
		line = line[:end-1]
	}
	return line, rest
}

func trimSpace(s string) string {
	for len(s) > 0 && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for len(s) > 0 && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

func checkFieldLine(line string) error {
	name, value, ok := strings.Cut(line, ":")
	if !ok {
		return errors.New("protocol: a header line has no colon")
	}
	return checkField(name, value)
}

func checkField(name, value string) error {
	if !IsToken(name) {
		return fmt.Errorf("protocol: the header name %.40q is not a token (RFC 9110, section 5.6.2)", name)
	}
	for i := range len(value) {
		c := value[i]
		if byteKind[c]&textByte != 0 {
			continue
		}
		if c < ' ' || c == 0x7f || c == 0x85 && !partOfRune(value, i) {
			return fmt.Errorf("protocol: the value of the header %s has the control character %#02x", name, c)
		}
	}
	return nil
}

// partOfRune reports whether the byte at i is inside a multi-byte UTF-8
// character other than NEL itself.
func partOfRune(s string, i int) bool {
	for start := i - 1; start >= 0 && start >= i-3; start-- {
		if utf8.RuneStart(s[start]) {
			r, size := utf8.DecodeRuneInString(s[start:])
			return r != utf8.RuneError && r != 0x85 && start+size > i
		}
	}
	return false
}

// IsToken reports whether s is a token (RFC 9110, section 5.6.2): the form of
// header names, methods, cookie names and subprotocols.
func IsToken(s string) bool {
	for i := range len(s) {
		if byteKind[s[i]]&tokenByte == 0 {
			return false
		}
	}
	return s != ""
}

const (
	tokenByte = 1 << iota // may be in a token
	textByte              // may be anywhere in a value: printable ASCII, a space, a tab
)

// byteKind tells quickly what a byte may be part of.
var byteKind = func() (kinds [256]uint8) {
	const extra = "!#$%&'*+-.^_`|~"
	for c := range 0x7f {
		b := byte(c)
		if '0' <= b && b <= '9' || 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || strings.IndexByte(extra, b) >= 0 {
			kinds[b] |= tokenByte
		}
		if b >= ' ' || b == '\t' {
			kinds[b] |= textByte
		}
	}
	return kinds
}()

// A Field is one header field.
type Field struct {
	// Name is a token; its case is kept.
	Name string
	// Value must be free of control characters other than tab.
	Value string
}

// Fields are header fields to be sent, in order; duplicates are allowed. A nil
// Fields is empty. Fields are not safe for concurrent use.
type Fields []Field

// Add appends a field.
func (f *Fields) Add(name, value string) { *f = append(*f, Field{name, value}) }

// Set replaces all fields called name by one.
func (f *Fields) Set(name, value string) {
	f.Del(name)
	f.Add(name, value)
}

// Del removes all fields called name.
func (f *Fields) Del(name string) {
	kept := (*f)[:0]
	for _, field := range *f {
		if !strings.EqualFold(field.Name, name) {
			kept = append(kept, field)
		}
	}
	clear((*f)[len(kept):])
	*f = kept
}

// Get returns the value of the first field called name, or "".
func (f Fields) Get(name string) string {
	for _, field := range f {
		if strings.EqualFold(field.Name, name) {
			return field.Value
		}
	}
	return ""
}

// Check returns an error that names the first field with a name that is no
// token or a value with a control character, which would split the response.
func (f Fields) Check() error {
	for _, field := range f {
		if err := checkField(field.Name, field.Value); err != nil {
			return err
		}
	}
	return nil
}
