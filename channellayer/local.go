package channellayer

import "crypto/rand"

// NewGroup returns a name that nobody else has, for a group of this process alone: joining it asks nothing of the broker, and what is sent to it is
// not published. It is for what each node works out for its own connections. The name has the form of one from [Hub.NewChannel]; the prefix is up to 200 bytes.
func (h *Hub) NewGroup(prefix string) string {
	return prefix + "." + h.id + "!" + rand.Text()
}

// local reports whether a group is this process's own.
func (h *Hub) local(group string) bool { return nodeOf(group) == h.id }
