package channellayer

import "fmt"

// Limits of a subscription's metadata.
const (
	MaxMetadata      = 16  // entries
	MaxMetadataValue = 255 // bytes in one value
)

// metadata is what a subscription says about itself. It never changes: setting it again makes another.
type metadata []Field

// SetMetadata says what senders may choose the subscription by, with [Where]: the role of its user, the language of its page. It replaces what was
// said before, and nil takes it back; a send that begins after it has returned goes by it. The map is copied. It stays on this node, costs the others nothing,
// and a subscription without any costs nothing.
//
// It has up to [MaxMetadata] entries, whose keys follow the rule of [CheckName] and whose values have up to [MaxMetadataValue] bytes; the errors match
// [ErrInvalidName], [ErrTooLarge] or [ErrClosed], and change nothing. What a client says about itself is no ground to send it what others may not see.
func (s *Subscription) SetMetadata(entries map[string]string) error {
	if len(entries) > MaxMetadata {
		return fmt.Errorf("%w: %d entries of metadata, at most %d are allowed", ErrTooLarge, len(entries), MaxMetadata)
	}
	var all *metadata
	if len(entries) > 0 {
		list := make(metadata, 0, len(entries))
		for key, value := range entries {
			if err := checkName("metadata key", key); err != nil {
				return err
			}
			if len(value) > MaxMetadataValue {
				return fmt.Errorf("%w: metadata %q has %d bytes, at most %d are allowed", ErrTooLarge, key, len(value), MaxMetadataValue)
			}
			list = append(list, Field{key, value})
		}
		all = &list
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.over():
		return ErrClosed
	case s.rare != nil:
		s.rare.metadata = all
	case all != nil:
		s.rare = &rare{metadata: all}
	}
	return nil
}

// metadata returns what the subscription last said about itself.
func (s *Subscription) metadata() metadata {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rare == nil || s.rare.metadata == nil {
		return nil
	}
	return *s.rare.metadata
}

func (d metadata) get(key string) (value string, ok bool) {
	for _, f := range d {
		if f.Key == key {
			return f.Value, true
		}
	}
	return "", false
}
