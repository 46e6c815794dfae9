package channellayer

import (
	"context"
	"time"
)

// A Log is a [Broker] that also keeps the history of groups. The hub probes for it when Config.History asks for some. [MemoryLog] shows what it has to do, and
// layertest.History proves it.
//
// The subject of a group with history begins with "h.", and its entries reach the nodes that have subscribed to it, the sender's own included, through [Receiver.Entry]. Subscribe means for them
// what it means for Publish: when it has returned, every entry whose Append begins from now on comes. Entries may be lost with a connection, which is a Down; the hub then reads them from
// the log. So what makes delivery exact is that Append, Read and the order of entries agree.
//
// The methods are called by many goroutines at a time, return when their context ends and within seconds without that, and fail at once without a connection.
type Log interface {
	Broker
	// Append stores a record behind all others of its subject, and publishes it, in one atomic step: other nodes get entries in the order in which Read has them, and none that Read has
	// not. It returns the record's position: the log's epoch, an offset greater than all before, and the record's own tag.
	//
	// A record with a key that a record of the same subject had within [DedupWindow] is neither stored nor published: the position of that one is returned.
	// Nil means that the record is stored as well as the server stores anything. With an error it may be stored or not. An envelope that the server can never take
	// is an error that matches ErrTooLarge. The envelope is the log's from now on.
	Append(ctx context.Context, subject string, keep Retention, r Record) (Position, error)
	// Read returns the entries of a subject from an offset on, that one included, the oldest first: as many as there are, at most limit. It may return fewer where
	// they are large, but two at least, and says then that there are more. Zero is the oldest entry that there is. Entries
	// that are beyond keep.Size, counted from the newest, or older than keep.Age are not returned, whether they are still stored or not. The page is the caller's. With a limit of zero
	// it has no entries, but its Top.
	Read(ctx context.Context, subject string, keep Retention, from uint64, limit int) (Page, error)
}

// A Preparer is a [Log] that has to know before Start what it is going to keep, so that Start can say that its server is not fit for that.
type Preparer interface {
	// Prepare is called once, before Start, with the retentions of all rules of Config.History, of which there is one at least.
	Prepare(keep []Retention)
}

// A Retention says how much of a group's history is kept. Both are positive.
type Retention struct {
	Size int           // entries at most
	Age  time.Duration // of the oldest entry at most
}

// A Record is what is appended to a log.
type Record struct {
	Key      string // of idempotency: 43 letters, digits, "-" and "_"; empty for none
	Tag      string // of the position; 13 letters and digits
	Envelope []byte // as for Publish
}

// An Entry is a record in a log.
type Entry struct {
	Position
	// Previous is the offset of the entry before it, also if that has been dropped, and zero for the first entry of an epoch. The hub compares it with what it delivered last. A log that does
	// not know it of an entry that Read returns says Offset-1.
	Previous uint64
	// PreviousTag is the tag of that entry, by which a position can be checked whose own entry has been dropped. It is for Read, and may be empty if the log does not know it: the
	// hub says GapTrimmed then.
	PreviousTag string
	Envelope    []byte
}

// A Page is a part of a log.
type Page struct {
	Entries []Entry // one after the other, with nothing left out between them
	// More says that there are entries behind these.
	More bool
	// Top is the position of the newest entry, also if that has been dropped; or, if there was none, the beginning of the epoch, or another position that all entries to come are behind. It was
	// so when Read was called, or later. A log
	// should remember it for longer than its entries ([Retention.TopAge]), so that a group in which nothing was said is known to have said nothing.
	Top Position
}

// DedupWindow is for how long a log knows an idempotency key, at least.
const DedupWindow = 2 * time.Minute

// TopAge is for how long after the last entry or the last Read a log should remember where it ended: for ten times the age of its entries, and longer than the keys of its records. Nodes
// read the log of a group with members every minute.
func (r Retention) TopAge() time.Duration { return max(10*r.Age, 2*DedupWindow) }
