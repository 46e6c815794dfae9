package engine

// A Guest is who a Conn works for. Its turns come one at a time; HungUp may come
// while one runs.
type Guest interface {
	// Turn is called when something may have come, the peer's end included, when the
	// Conn was closed, and with late set when the time given to Park is up. It reads
	// with Fill until that says that there is no more. It may block. It reports whether
	// the guest had left before: then the Conn is a stream, or somebody else reads it.
	Turn(late bool) (left bool)
	// HungUp is called once, when the peer has reset the connection or hung up. It must
	// not block.
	HungUp()
}
