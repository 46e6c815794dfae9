package channellayer

import "sync"

// A queue holds the messages that wait for one subscriber, oldest first. The zero value is empty. Nearly all queues are empty
// or hold one message nearly all the time, so that one has a place of its own and only the rest needs a ring.
type queue struct {
	first *Message // nil: the queue is empty
	rest  *ring    // what comes after first; nil when there is nothing
}

// A ring is a circular buffer that grows.
type ring struct {
	buf  []*Message
	head int
	n    int
}

// A ringPool recycles rings of the smallest size.
type ringPool struct{ pool sync.Pool }

const ringStart = 8

func (p *ringPool) get() *ring {
	if r, ok := p.pool.Get().(*ring); ok {
		return r
	}
	return &ring{buf: make([]*Message, ringStart)}
}

func (p *ringPool) put(r *ring) {
	if len(r.buf) == ringStart { // one that has grown is the garbage collector's: idle subscribers keep nothing
		p.pool.Put(r)
	}
}

func (q *queue) len() int {
	switch {
	case q.first == nil:
		return 0
	case q.rest == nil:
		return 1
	}
	return 1 + q.rest.n
}

func (q *queue) push(m *Message, p *ringPool) {
	if q.first == nil {
		q.first = m
		return
	}
	if q.rest == nil {
		q.rest = p.get()
	}
	q.rest.push(m)
}

// pop takes the oldest message, or nil.
func (q *queue) pop(p *ringPool) *Message {
	m := q.first
	q.first = nil
	if q.rest != nil {
		q.first = q.rest.pop()
		if q.rest.n == 0 {
			p.put(q.rest)
			q.rest = nil
		}
	}
	return m
}

func (r *ring) push(m *Message) {
	if r.n == len(r.buf) {
		grown := make([]*Message, 2*len(r.buf))
		n := copy(grown, r.buf[r.head:])
		copy(grown[n:], r.buf[:r.head])
		r.buf, r.head = grown, 0
	}
	r.buf[(r.head+r.n)%len(r.buf)] = m
	r.n++
}

func (r *ring) pop() *Message {
	m := r.buf[r.head]
	r.buf[r.head] = nil
	r.head = (r.head + 1) % len(r.buf)
	r.n--
	return m
}
