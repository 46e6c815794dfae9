package presence

import (
	"errors"
	"fmt"
	"time"

	"github.com/portico-go/portico/channellayer"
)

// Defaults of a [Config].
const (
	DefaultName         = "presence"
	DefaultBeat         = 5 * time.Second
	DefaultLease        = 15 * time.Second
	DefaultMaxMeta      = 4 << 10
	DefaultMaxPresences = 100_000
)

// The greatest values that a [Config] may have.
const (
	mostName = 32
	mostMeta = 64 << 10 // a presence must fit into a message that every broker takes
)

// ErrFull means that this node has as many presences in a group as Config.MaxPresences allows.
var ErrFull = errors.New("presence: group full")

// A Config says how a [Tracker] works. The zero value is useful. It must be the same on all nodes.
type Config struct {
	// Name sets the trackers of one layer apart: those with the same name work together, in the layer's groups "name" and "name:group",
	// which nobody else may use and no [channellayer.History] should match. It has up to 32 bytes; empty means "presence".
	Name string
	// Beat is how often a node says that it lives; zero means 5 s.
	Beat time.Duration
	// Lease is how long a node is taken to live after it was heard last; zero means 15 s, or three beats if those are longer. It must be two beats at least, and
	// should be longer than the broker takes to notice that its server has gone silent, which is 5 s, and than nodes may be apart when they find it again.
	Lease time.Duration
	// Grace is how long the place of a connection that has ended is kept for another one with the same key: a page that is loaded again, a phone that
	// changes its network. Those who watch hear nothing of it. Zero keeps none. Untrack does not wait for it, and neither does the end of a lease.
	Grace time.Duration
	// MaxMeta is how many bytes of JSON the metadata of one presence may have; zero means 4 KiB, and 64 KiB is the most.
	MaxMeta int
	// MaxPresences is how many presences of this node may be in one group; zero means 100,000.
	MaxPresences int
}

// withDefaults returns the configuration with zero fields filled in, or an error that names the wrong one.
func (c Config) withDefaults() (Config, error) {
	if c.Beat < 0 || c.Lease < 0 || c.Grace < 0 || c.MaxMeta < 0 || c.MaxPresences < 0 {
		return c, fmt.Errorf("presence: config: Beat (%v), Lease (%v), Grace (%v), MaxMeta (%d) and MaxPresences (%d) must not be negative; zero means the default",
			c.Beat, c.Lease, c.Grace, c.MaxMeta, c.MaxPresences)
	}
	if c.Name == "" {
		c.Name = DefaultName
	}
	if err := channellayer.CheckName(c.Name); err != nil || len(c.Name) > mostName {
		return c, fmt.Errorf("presence: config: Name is %.40q, expected a name of up to %d bytes", c.Name, mostName)
	}
	if c.MaxMeta > mostMeta {
		return c, fmt.Errorf("presence: config: MaxMeta is %d, at most %d is allowed", c.MaxMeta, mostMeta)
	}
	if c.Beat == 0 {
		c.Beat = DefaultBeat
	}
	if c.Lease == 0 {
		c.Lease = max(DefaultLease, 3*c.Beat)
	}
	if c.Lease < 2*c.Beat {
		return c, fmt.Errorf("presence: config: Lease is %v, expected two beats of %v at least", c.Lease, c.Beat)
	}
	if c.MaxMeta == 0 {
		c.MaxMeta = DefaultMaxMeta
	}
	if c.MaxPresences == 0 {
		c.MaxPresences = DefaultMaxPresences
	}
	return c, nil
}

// control returns the name of the group in which trackers talk about a group of the application.
func (c Config) control(group string) (string, error) {
	name := c.Name + ":" + group
	if err := channellayer.CheckName(group); err != nil {
		return "", fmt.Errorf("presence: group: %w", err)
	}
	if len(name) > channellayer.MaxName {
		return "", fmt.Errorf("presence: %w: group %.40q… has %d bytes, at most %d are allowed",
			channellayer.ErrInvalidName, group, len(group), channellayer.MaxName-len(c.Name)-1)
	}
	return name, nil
}

// repeats is for how long a change is repeated: a node that could not be heard for less than a lease, and so is still trusted, must hear of it afterwards.
func (c Config) repeats() time.Duration { return c.Lease + 2*c.Beat }

// calm is how often a node says how far it is in a group in which nothing changes, and silence is for how long it can say nothing about a group and still be
// taken to be there. So in the end everything is made up for, whatever was lost.
func (c Config) calm() time.Duration { return 12 * c.Beat }

func (c Config) silence() time.Duration { return 4 * c.calm() }
