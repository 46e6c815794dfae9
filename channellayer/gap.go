package channellayer

import "fmt"

// A Gap says why it cannot be told which messages of a group came after a position, or that a member has no more of them for now.
type Gap uint8

const (
	// GapNone means that there is no gap.
	GapNone Gap = iota
	// GapNoPosition means that no position was given.
	GapNoPosition
	// GapTrimmed means that the log has dropped what came next, or the entry to check the position by: there was more than its size, or it was older than its age.
	GapTrimmed
	// GapEpoch means that the log has begun anew since: its server lost it, or forgot it after a long silence.
	GapEpoch
	// GapLost means that the log has lost its end: it has no entry of this offset, or another one. So it is after a failover to a server that did not have the last messages.
	GapLost
	// GapSlow means that the member's queue was full. The log has what did not fit, and what comes next.
	GapSlow
)

var gapNames = [...]string{"none", "no position", "trimmed", "epoch", "lost", "slow"}

// String returns a word or two: "none", "no position", "trimmed", "epoch", "lost" or "slow".
func (g Gap) String() string {
	if int(g) < len(gapNames) {
		return gapNames[g]
	}
	return fmt.Sprintf("gap %d", uint8(g))
}

// after returns the entries of a page, which was read from the offset of a position on, that come after it; or why that cannot be told.
// Without a gap they are exactly what comes after it, up to the page's end.
func (p Page) after(at Position) ([]Entry, Gap) {
	var first Entry
	if len(p.Entries) > 0 {
		first = p.Entries[0]
	}
	switch {
	case at.IsZero():
		return p.Entries, GapNoPosition
	case at.Epoch != p.Top.Epoch:
		return nil, GapEpoch
	case at.Offset == 0 && len(p.Entries) > 0 && first.Previous == 0:
		return p.Entries, GapNone
	case at.Offset > 0 && first.Position == at:
		return p.Entries[1:], GapNone
	case at.Tag != "" && first.Previous == at.Offset && first.PreviousTag == at.Tag:
		return p.Entries, GapNone
	case at == p.Top: // the entries have gone, but nothing came after them
		return p.Entries, GapNone
	case at.Offset > 0 && first.Offset == at.Offset, at.Offset >= p.Top.Offset:
		return nil, GapLost
	}
	return p.Entries, GapTrimmed
}
