package channellayer

import (
	"fmt"
	"strconv"
	"strings"
)

// A Position is a place in the history of one group: behind one of its entries, or at its beginning. Who knows the position of the last message that it had can ask for
// what came after it. The zero Position knows nothing. To clients a position is the opaque text of [Position.String]. It names no secret, and holds no right.
type Position struct {
	Epoch  string // of the log, which has another one when it had to begin anew; 1 to 32 letters and digits
	Offset uint64 // of the entry: greater than those before it, not always by one. Zero is the beginning
	Tag    string // of the entry, random, by which a log that lost its end and went on is found out; 1 to 32 letters and digits, empty at the beginning
}

// The greatest length of an epoch and a tag, and the length of the tags that hubs make: 65 bits from crypto/rand.
const (
	maxPositionPart = 32
	tagLength       = 13
)

// IsZero reports whether the position knows nothing.
func (p Position) IsZero() bool { return p == Position{} }

// String returns the position as text of letters, digits and dots, safe in a URL as it is: epoch, offset and tag, epoch and 0 at the beginning, or nothing for the zero Position.
func (p Position) String() string {
	switch {
	case p.IsZero():
		return ""
	case p.Offset == 0:
		return p.Epoch + ".0"
	}
	return p.Epoch + "." + strconv.FormatUint(p.Offset, 10) + "." + p.Tag
}

// ParsePosition reads what [Position.String] wrote, and nothing else. The text may come from a client. The error matches [ErrPosition], and does not repeat the text.
func ParsePosition(text string) (Position, error) {
	if text == "" {
		return Position{}, nil
	}
	if len(text) > 2*maxPositionPart+22 {
		return Position{}, fmt.Errorf("%w: it has %d bytes", ErrPosition, len(text))
	}
	parts := strings.Split(text, ".")
	p := Position{Epoch: parts[0]}
	if !positionPart(p.Epoch) {
		return Position{}, fmt.Errorf("%w: the epoch is not 1 to %d letters and digits", ErrPosition, maxPositionPart)
	}
	if len(parts) == 2 && parts[1] == "0" {
		return p, nil
	}
	if len(parts) != 3 || !positionPart(parts[2]) {
		return Position{}, fmt.Errorf("%w: expected epoch, offset and tag, with dots between them", ErrPosition)
	}
	var err error
	if p.Offset, err = strconv.ParseUint(parts[1], 10, 64); err != nil || p.Offset == 0 || parts[1] != strconv.FormatUint(p.Offset, 10) {
		return Position{}, fmt.Errorf("%w: the offset is no number of the shortest form", ErrPosition)
	}
	p.Tag = parts[2]
	return p, nil
}

// MarshalText is String.
func (p Position) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText is ParsePosition.
func (p *Position) UnmarshalText(text []byte) error {
	got, err := ParsePosition(string(text))
	if err == nil {
		*p = got
	}
	return err
}

func positionPart(s string) bool {
	if s == "" || len(s) > maxPositionPart {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c == '-' || !tokenByte(c) {
			return false
		}
	}
	return true
}
