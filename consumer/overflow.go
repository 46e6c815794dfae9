package consumer

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/protocol"
)

// An Overflow says what becomes of some broadcasts for a client that is slow, whatever
// protocol.OnOverflow says of what is sent to it otherwise:
//
//	Overflow: []consumer.Overflow{{
//		Group:  "prices.*",
//		Policy: protocol.KeepLatest,
//		Key:    consumer.Key(func(p Price) string { return p.Symbol }),
//	}},
//
// A broadcast never waits for a client, so there is no policy that would.
type Overflow struct {
	// Group and Type say of which broadcasts: those whose group's name, and whose type,
	// match. "*" stands for any characters, "?" for one, "[a-z]" for one of a set, and a
	// backslash takes the next character literally. Empty matches all.
	Group, Type string
	// Policy is what becomes of them. It must be given.
	Policy protocol.Overflow
	// Key says, for protocol.KeepLatest, of what a broadcast is the latest word within
	// its group and type. A nil Key is that there is one such thing in each. See the
	// function Key. If it returns an error the broadcast goes to Messages.Unhandled.
	Key func(m *channellayer.Message) (string, error)
}

// Key makes an Overflow's Key of a function that takes a typed value, which is to be
// read only. A broadcast whose value is no T goes to Messages.Unhandled.
func Key[T any](key func(value T) string) func(*channellayer.Message) (string, error) {
	return func(m *channellayer.Message) (string, error) {
		value, err := channellayer.Value[T](m)
		if err != nil {
			return "", fmt.Errorf("consumer: the broadcast %q is no %T: %w", m.Type, value, err)
		}
		return key(value), nil
	}
}

// check returns what is wrong with it.
func (o *Overflow) check() error {
	var errs []error
	for _, pattern := range []string{o.Group, o.Type} {
		if !validPattern(pattern) {
			errs = append(errs, fmt.Errorf("consumer: Overflow: the pattern %q is malformed: expected a name with *, ? and [a-z]", pattern))
		}
	}
	switch {
	case o.Policy == protocol.DefaultOverflow || o.Policy > protocol.KeepLatest:
		errs = append(errs, fmt.Errorf("consumer: Overflow for group %q and type %q has no Policy: expected protocol.CloseSlow, DropNewest, DropOldest or KeepLatest",
			o.Group, o.Type))
	case o.Key != nil && o.Policy != protocol.KeepLatest:
		errs = append(errs, fmt.Errorf("consumer: Overflow for group %q and type %q has a Key, which only protocol.KeepLatest uses; its Policy is %q",
			o.Group, o.Type, o.Policy))
	}
	return errors.Join(errs...)
}

// overflow gives a broadcast, rendered as out, the policy of the first entry that matches.
func overflow(table []Overflow, m *channellayer.Message, out *protocol.Message) error {
	for i := range table {
		o := &table[i]
		if !matches(o.Group, m.Group) || !matches(o.Type, m.Type) {
			continue
		}
		out.Overflow = o.Policy
		if o.Policy != protocol.KeepLatest {
			return nil
		}
		var key string
		if o.Key != nil {
			var err error
			if key, err = o.Key(m); err != nil {
				return err
			}
		}
		out.Key = m.Group + "\x00" + m.Type + "\x00" + key // neither name has a NUL
		return nil
	}
	return nil
}

func validPattern(pattern string) bool {
	_, err := path.Match(globForm(pattern), "")
	return err == nil
}

func matches(pattern, name string) bool {
	if pattern == "" {
		return true
	}
	ok, _ := path.Match(globForm(pattern), globForm(name)) // Check has seen the pattern
	return ok
}

// globForm hides slashes from path.Match, for which they are special and for groups are not.
func globForm(s string) string { return strings.ReplaceAll(s, "/", "\x00") }
