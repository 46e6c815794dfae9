package msgpack

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// MaxDepth is how deep arrays and maps may be in each other.
const MaxDepth = 256

var errCutOff = errors.New("msgpack: the value is cut off")

// check reports what is wrong with data that should be one value of MessagePack. It allocates nothing. The decoder behind it
// trusts lengths and calls itself for each level, so both are looked at first.
func check(data []byte) error {
	var left [MaxDepth]int // values that are yet to come, for each level
	depth := 0
	left[0] = 1
	for at := 0; ; {
		for left[depth] == 0 {
			if depth == 0 {
				return end(data[at:])
			}
			depth--
		}
		left[depth]--
		size, values, err := head(data[at:])
		if err != nil {
			return err
		}
		if at += size; values == 0 {
			continue
		}
		if depth++; depth == MaxDepth {
			return fmt.Errorf("msgpack: the value is more than %d deep", MaxDepth)
		}
		left[depth] = values
	}
}

func end(rest []byte) error {
	if len(rest) > 0 {
		return fmt.Errorf("msgpack: %d bytes follow the value", len(rest))
	}
	return nil
}

// A form is how the values behind one first byte are laid out: that many bytes, then a length of that many bytes, which counts bytes or values.
type form struct{ fixed, length, values int }

// forms are those of the first bytes from 0xc0 to 0xdf.
var forms = [32]form{
	0x00: {}, 0x02: {}, 0x03: {}, // nil, false, true
	0x04: {length: 1}, 0x05: {length: 2}, 0x06: {length: 4}, // bytes
	0x07: {fixed: 1, length: 1}, 0x08: {fixed: 1, length: 2}, 0x09: {fixed: 1, length: 4}, // extensions, which have a type
	0x0a: {fixed: 4}, 0x0b: {fixed: 8}, // floats
	0x0c: {fixed: 1}, 0x0d: {fixed: 2}, 0x0e: {fixed: 4}, 0x0f: {fixed: 8}, // unsigned numbers
	0x10: {fixed: 1}, 0x11: {fixed: 2}, 0x12: {fixed: 4}, 0x13: {fixed: 8}, // numbers
	0x14: {fixed: 2}, 0x15: {fixed: 3}, 0x16: {fixed: 5}, 0x17: {fixed: 9}, 0x18: {fixed: 17}, // extensions of a fixed length
	0x19: {length: 1}, 0x1a: {length: 2}, 0x1b: {length: 4}, // text
	0x1c: {length: 2, values: 1}, 0x1d: {length: 4, values: 1}, // arrays
	0x1e: {length: 2, values: 2}, 0x1f: {length: 4, values: 2}, // maps
}

// head returns how many bytes the value at the front has, without the values in it, and how many these are: no more than there are bytes.
func head(data []byte) (size, values int, err error) {
	if len(data) == 0 {
		return 0, 0, errCutOff
	}
	size = 1
	switch b := data[0]; {
	case b < 0x80 || b >= 0xe0: // a number
	case b < 0x90:
		values = 2 * int(b&0x0f)
	case b < 0xa0:
		values = int(b & 0x0f)
	case b < 0xc0:
		size += int(b & 0x1f)
	case b == 0xc1:
		return 0, 0, errors.New("msgpack: a value begins with 0xc1, which nothing does")
	default:
		size, values, err = forms[b-0xc0].measure(data)
	}
	if err != nil || size > len(data) || values > len(data)-size {
		return 0, 0, errCutOff
	}
	return size, values, nil
}

func (f form) measure(data []byte) (size, values int, err error) {
	size = 1 + f.fixed + f.length
	if size > len(data) {
		return 0, 0, errCutOff
	}
	var n int
	switch f.length { // it is right behind the first byte
	case 1:
		n = int(data[1])
	case 2:
		n = int(binary.BigEndian.Uint16(data[1:]))
	case 4:
		n = int(binary.BigEndian.Uint32(data[1:]))
	}
	if n < 0 || n > len(data) { // before it is multiplied
		return 0, 0, errCutOff
	}
	if f.values > 0 {
		return size, n * f.values, nil
	}
	return size + n, 0, nil
}
