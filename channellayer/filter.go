package channellayer

import (
	"encoding/binary"
	"slices"
)

// A Condition chooses members of a group by what they said with [Subscription.SetMetadata]. As an option of a group send it leaves out those for
// which it does not hold; of several options, all must hold. It is data, which travels with the message, so it holds on every node.
// A Condition never changes, and may be used for any number of sends.
//
// One send's conditions have up to [MaxTerms] keys, values and combinations in all, and combinations are at most 8 deep; together they have to fit into a header field.
// A send with more is an error that matches [ErrTooLarge], with a key that breaks the rule of [CheckName] one that matches [ErrInvalidName], and
// with the zero Condition one that says so; nobody gets it.
type Condition struct {
	op     byte
	key    string
	values []string
	of     []Condition
}

// MaxTerms is how many keys, values and combinations the conditions of one send may have together.
const MaxTerms = 64

// How a condition begins in the header.
const (
	opIs    = '='
	opNot   = '!'
	opAllOf = '&'
	opAnyOf = '|'
)

var _ SendOption = Condition{}

// Where holds for a member whose metadata has one of these values under the key, and without values for one that has the key at all.
func Where(key string, value ...string) Condition {
	return Condition{op: opIs, key: key, values: slices.Clone(value)}
}

// Not holds for a member for which c does not, such as one that said nothing.
func Not(c Condition) Condition { return Condition{op: opNot, of: []Condition{c}} }

// AllOf holds if all of these do; so it does without any.
func AllOf(c ...Condition) Condition { return Condition{op: opAllOf, of: slices.Clone(c)} }

// AnyOf holds if one of these does; so it never does without any.
func AnyOf(c ...Condition) Condition { return Condition{op: opAnyOf, of: slices.Clone(c)} }

func (c Condition) apply(m *Message) {
	m.Header = append(m.Header, Field{HeaderWhere, string(c.append(nil))})
}

// append appends the condition in the form that docs/channel-layer.md specifies. It stops when no header could carry it.
func (c *Condition) append(dst []byte) []byte {
	if len(dst) > MaxHeaderValue {
		return dst
	}
	dst = append(dst, c.op)
	switch c.op {
	case opIs:
		dst = binary.AppendUvarint(appendString(dst, c.key), uint64(len(c.values)))
		for _, v := range c.values {
			dst = appendString(dst, v)
		}
	case opAllOf, opAnyOf:
		dst = binary.AppendUvarint(dst, uint64(len(c.of)))
	}
	for i := range c.of {
		dst = c.of[i].append(dst)
	}
	return dst
}

// holds tells whether the condition holds for a member that said d.
func (c *Condition) holds(d metadata) bool {
	switch c.op {
	case opIs:
		value, ok := d.get(c.key)
		return ok && (len(c.values) == 0 || slices.Contains(c.values, value))
	case opNot:
		return !c.of[0].holds(d)
	case opAllOf:
		for i := range c.of {
			if !c.of[i].holds(d) {
				return false
			}
		}
		return true
	}
	for i := range c.of {
		if c.of[i].holds(d) {
			return true
		}
	}
	return false
}
