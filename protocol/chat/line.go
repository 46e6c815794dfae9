package chat

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

// cutLine returns the first line of in without its end, and how many bytes it has
// with its end, which is 0 as long as that has not arrived. It is not ok if the
// line has more than limit bytes, which cutLine tells as soon as they are there.
func cutLine(in []byte, limit int) (line []byte, n int, ok bool) {
	window := in[:min(len(in), limit+len("\r\n"))]
	end := bytes.IndexByte(window, '\n')
	if end < 0 {
		line = window
		if len(line) == limit+1 {
			line = bytes.TrimSuffix(line, []byte("\r")) // the LF may follow
		}
		return nil, 0, len(line) <= limit
	}
	line = bytes.TrimSuffix(in[:end], []byte("\r"))
	return line, end + 1, len(line) <= limit
}

// clean returns text as it is safe to be written into a line: what is not UTF-8,
// line breaks of any kind and the control characters that drive a terminal become
// U+FFFD. It copies text only if it has to.
func clean(text []byte) []byte {
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		if isUnsafe(r) || r == utf8.RuneError && size == 1 {
			return replaceUnsafe(text, i)
		}
		i += size
	}
	return text
}

// replaceUnsafe does the work of clean, of which text[:from] is done.
func replaceUnsafe(text []byte, from int) []byte {
	safe := append(make([]byte, 0, len(text)), text[:from]...)
	for from < len(text) {
		r, size := utf8.DecodeRune(text[from:])
		if isUnsafe(r) {
			r = utf8.RuneError
		}
		safe = utf8.AppendRune(safe, r)
		from += size
	}
	return safe
}

// isUnsafe reports whether r ends a line or controls a terminal: C0 but tab, DEL,
// C1, and Unicode's line and paragraph separators.
func isUnsafe(r rune) bool {
	return r != '\t' && unicode.IsControl(r) || r == '\u2028' || r == '\u2029'
}

// boundary returns where to cut text, of which at most n bytes are to be taken, so
// that no character is cut. text is longer than n and is UTF-8.
func boundary(text []byte, n int) int {
	for !utf8.RuneStart(text[n]) {
		n--
	}
	return n
}
