package presence

import "encoding/json"

// What trackers tell each other, by the type of the event. Beats and goodbyes go to all trackers, the rest to those that are in the group that it is about.
const (
	typeBeat    = "presence.beat"
	typeBye     = "presence.bye"
	typeDelta   = "presence.delta"
	typeState   = "presence.state"
	typeSummary = "presence.summary"
)

// partSize is about how many bytes of presences are put into one message: well below a mebibyte, which every broker takes, also when
// each byte of every key has to be escaped.
const (
	partSize = 128 << 10
	overhead = 48 // of one presence, besides its key and metadata
)

// A beat says that a node lives.
type beat struct {
	Node string `json:"node"`
	// Age is for how long the node has run, in milliseconds on its own clock.
	Age int64 `json:"age"`
	// Hello asks the others for a beat.
	Hello bool `json:"hello,omitempty"`
	// Lost names nodes that this one had given up, and hears again: they have to announce themselves.
	Lost []string `json:"lost,omitempty"`
}

// A bye says that a node has ended, and its presences with it.
type bye struct {
	Node string `json:"node"`
}

// A delta is one step of what a node has in a group. Steps are numbered by a clock of the node, which only grows.
type delta struct {
	Node string `json:"node"`
	From uint64 `json:"from"` // the step before; 0 if the node had nothing there
	To   uint64 `json:"to"`
	Set  []item `json:"set,omitempty"`  // new, or with new metadata
	Left []item `json:"left,omitempty"` // ended on purpose
	Lost []item `json:"lost,omitempty"` // ended with their connections
}

// A state is a part of everything that a node has in a group.
type state struct {
	Node  string `json:"node"`
	Clock uint64 `json:"clock"`
	Part  int    `json:"part"` // from 0
	Parts int    `json:"parts"`
	Set   []item `json:"set,omitempty"`
}

// A summary says how far a node is, without saying what it has.
type summary struct {
	Node  string `json:"node"`
	Clock uint64 `json:"clock"` // 0: it has nothing there
	// Ask asks every node whose clock is not the one in Known for its state. A node that is not listed is known to have nothing.
	Ask   bool              `json:"ask,omitempty"`
	Known map[string]uint64 `json:"known,omitempty"`
}

// An item is one presence of the node that sends it.
type item struct {
	ID   uint64          `json:"id"`
	Key  string          `json:"key,omitempty"`
	Meta json.RawMessage `json:"meta,omitempty"`
}

func (i item) size() int { return len(i.Key) + len(i.Meta) + overhead }

// parts divides items into lists of bounded size. There is always one, which may be empty.
func parts(items []item) [][]item {
	all := [][]item{}
	from, size := 0, 0
	for i, it := range items {
		if size += it.size(); size > partSize && i > from {
			all, from, size = append(all, items[from:i]), i, it.size()
		}
	}
	return append(all, items[from:])
}
