package channellayer

import "hash/maphash"

// A keyed is a pointer to something with a name that never changes.
type keyed interface {
	comparable
	key() string
}

// A table finds pointers by name. It differs from a map in two ways that count when there are a million of them: a slot is the bare
// pointer (the name is in what it points to), and the table shrinks again when its entries leave.
// It is open-addressed with linear probing; the hash is seeded, so that a client who chooses names cannot make it slow.
// The methods take the hash of the name, whose low bits have already chosen the shard.
type table[E keyed] struct {
	slots []E // the zero E is a free slot; the length is a power of two
	count int
}

const (
	shards     = 64
	shardBits  = 6
	tableStart = 8
)

// home is where the entry with this hash would like to be.
func (t *table[E]) home(hash uint64) int { return int(hash>>shardBits) & (len(t.slots) - 1) }

// get returns the entry of that name, or the zero E.
func (t *table[E]) get(hash uint64, name string) E {
	e, _ := t.find(hash, name)
	return e
}

func (t *table[E]) find(hash uint64, name string) (E, int) {
	var free E
	if len(t.slots) == 0 {
		return free, -1
	}
	for i := t.home(hash); t.slots[i] != free; i = (i + 1) & (len(t.slots) - 1) {
		if t.slots[i].key() == name {
			return t.slots[i], i
		}
	}
	return free, -1
}

// add puts in an entry whose name is not there yet.
func (t *table[E]) add(seed maphash.Seed, hash uint64, e E) {
	if 4*(t.count+1) > 3*len(t.slots) {
		t.resize(seed, max(tableStart, 2*len(t.slots)))
	}
	t.put(hash, e)
	t.count++
}

func (t *table[E]) put(hash uint64, e E) {
	var free E
	i := t.home(hash)
	for t.slots[i] != free {
		i = (i + 1) & (len(t.slots) - 1)
	}
	t.slots[i] = e
}

// remove takes out the entry of that name, and reports whether it was e.
func (t *table[E]) remove(seed maphash.Seed, hash uint64, e E) bool {
	found, hole := t.find(hash, e.key())
	if hole < 0 || found != e {
		return false
	}
	var free E
	mask := len(t.slots) - 1
	// Close the gap: move back each following entry that may not be cut off from its home by it.
	for i := (hole + 1) & mask; t.slots[i] != free; i = (i + 1) & mask {
		home := t.home(maphash.String(seed, t.slots[i].key()))
		if (i-home)&mask >= (i-hole)&mask {
			t.slots[hole], hole = t.slots[i], i
		}
	}
	t.slots[hole] = free
	t.count--
	switch {
	case t.count == 0:
		t.slots = nil
	case 8*t.count < len(t.slots) && len(t.slots) > tableStart:
		t.resize(seed, len(t.slots)/4)
	}
	return true
}

func (t *table[E]) resize(seed maphash.Seed, size int) {
	var free E
	old := t.slots
	t.slots = make([]E, max(size, tableStart))
	for _, e := range old {
		if e != free {
			t.put(maphash.String(seed, e.key()), e)
		}
	}
}

// each calls f for every entry.
func (t *table[E]) each(f func(E)) {
	var free E
	for _, e := range t.slots {
		if e != free {
			f(e)
		}
	}
}
