package protocol

// A Key names a value of type T in a scope. Two keys are the same only if they
// are the same pointer, so packages cannot collide; the name is for messages.
type Key[T any] struct{ id keyID }

type keyID struct{ name string }

// AnyKey is a *Key of any type, as descriptions list them.
type AnyKey interface {
	// Name returns the name the key was made with.
	Name() string

	identity() *keyID
}

// NewKey returns a new key. Make keys once, as package variables.
func NewKey[T any](name string) *Key[T] { return &Key[T]{id: keyID{name: name}} }

// Name returns the name the key was made with.
func (k *Key[T]) Name() string { return k.id.name }

func (k *Key[T]) identity() *keyID { return &k.id }

// Of binds the key to a value, for Scope.With and Scope.Record.
func (k *Key[T]) Of(v T) Binding { return Binding{key: &k.id, value: v} }

// From returns the value that a middleware put into s with With, and whether
// there is one. It does not allocate.
func (k *Key[T]) From(s *Scope) (T, bool) { return find[T](s.bindings(), &k.id) }

// Recorded returns the value that was last written into the connection's record
// with Scope.Record, and whether there is one.
func (k *Key[T]) Recorded(s *Scope) (T, bool) {
	s.rec.mu.Lock()
	defer s.rec.mu.Unlock()
	return find[T](s.rec.values(), &k.id)
}

// A Binding is a key with its value.
type Binding struct {
	key   *keyID
	value any
}

// find returns the newest value of id: later bindings shadow earlier ones.
func find[T any](bindings []Binding, id *keyID) (T, bool) {
	for i := len(bindings) - 1; i >= 0; i-- {
		if bindings[i].key == id {
			v, ok := bindings[i].value.(T)
			return v, ok
		}
	}
	var zero T
	return zero, false
}
