package channellayer

import (
	"fmt"
	"path"
	"strings"
	"time"
)

// Defaults of a [Config].
const (
	DefaultCapacity  = 100
	DefaultExpiry    = time.Minute
	DefaultUnclaimed = 10_000
	DefaultLinger    = time.Second
)

// An Overflow says which message is lost when a channel is full. The hub never waits for a reader instead.
type Overflow uint8

const (
	// OverflowDefault is DropNewest in a Config, and the Config's choice in a Limit.
	OverflowDefault Overflow = iota
	// DropNewest keeps what is queued and drops the new message. Hub.Send returns a ChannelFullError.
	DropNewest
	// DropOldest drops the message that has waited longest and queues the new one.
	DropOldest
)

// A Limit gives the channels whose names match a pattern a capacity and an overflow policy of their own.
type Limit struct {
	// Pattern is matched against the whole channel name: "*" stands for any characters ("/" too), "?" for one, "[a-z]" for
	// one of a set, and a backslash takes the next character literally.
	Pattern string
	// Capacity is the number of messages that a matching channel holds. It must be positive.
	Capacity int
	// Overflow is the policy when it is full; zero means the Config's.
	Overflow Overflow
}

// A Config says how a [Hub] works. The zero value is useful.
type Config struct {
	// Capacity is how many messages one channel holds; zero means 100. Each subscriber has a channel, and so a capacity, of its own.
	Capacity int
	// Limits give channels a different capacity by name. The first pattern that matches wins.
	Limits []Limit
	// Overflow is what happens to a message for a full channel; zero means DropNewest.
	Overflow Overflow
	// Expiry is how long a message waits to be received; zero means a minute. What is older is dropped, never delivered.
	Expiry time.Duration
	// Unclaimed is how many messages the hub keeps in all for channels that nobody reads yet; zero means 10,000.
	Unclaimed int
	// Broker joins this hub with those of other processes; nil means that there are none. The hub starts it, and closes it.
	Broker Broker
	// History gives groups a history, by name: what is sent to them is kept for a while, comes to all members in one order, and can be had again by who was away
	// ([Subscription.JoinFrom]). The first pattern that matches wins. With a Broker it has to be a [Log]. It must be the same on all nodes of a layer.
	History []History
	// Linger is how long the node stays subscribed to a group at its broker after its last member here has left, in case that another comes; zero means a second.
	Linger time.Duration
	// Codec encodes the values that are sent; nil means JSON.
	Codec Codec
	// Observer is told of each message that is lost, by the goroutine that found it so and with no lock held. It must be quick, must not
	// block, and must be safe for concurrent use. Nil means that the losses are only counted, see [Hub.Stats].
	Observer func(Drop)
}

// A class is what all channels with the same limits share.
type class struct {
	hub      *Hub
	pattern  string // in the form of [globForm]; empty for the default
	capacity int
	overflow Overflow
}

// withDefaults returns the configuration with zero fields filled in, or an error that names the wrong one.
func (c Config) withDefaults() (Config, error) {
	if c.Capacity < 0 || c.Expiry < 0 || c.Unclaimed < 0 {
		return c, fmt.Errorf("channellayer: config: Capacity (%d), Expiry (%v) and Unclaimed (%d) must not be negative; zero means the default",
			c.Capacity, c.Expiry, c.Unclaimed)
	}
	if c.Linger < 0 {
		return c, fmt.Errorf("channellayer: config: Linger (%v) must not be negative; zero means the default", c.Linger)
	}
	if c.Overflow > DropOldest {
		return c, fmt.Errorf("channellayer: config: Overflow is %d, expected DropNewest or DropOldest", c.Overflow)
	}
	if c.Capacity == 0 {
		c.Capacity = DefaultCapacity
	}
	if c.Expiry == 0 {
		c.Expiry = DefaultExpiry
	}
	if c.Unclaimed == 0 {
		c.Unclaimed = DefaultUnclaimed
	}
	if c.Linger == 0 {
		c.Linger = DefaultLinger
	}
	if c.Overflow == OverflowDefault {
		c.Overflow = DropNewest
	}
	if c.Codec == nil {
		c.Codec = JSON{}
	}
	return c, nil
}

// classes returns one class per limit, and the default as the last, which matches every name.
func (c Config) classes(h *Hub) ([]*class, error) {
	all := make([]*class, 0, len(c.Limits)+1)
	for i, l := range c.Limits {
		glob := globForm(l.Pattern)
		if _, err := path.Match(glob, ""); err != nil || glob == "" {
			return nil, fmt.Errorf("channellayer: config: Limits[%d]: pattern %q is malformed; expected a channel name with *, ? and [a-z]", i, l.Pattern)
		}
		if l.Capacity <= 0 {
			return nil, fmt.Errorf("channellayer: config: Limits[%d]: pattern %q has capacity %d, expected at least 1", i, l.Pattern, l.Capacity)
		}
		if l.Overflow > DropOldest {
			return nil, fmt.Errorf("channellayer: config: Limits[%d]: Overflow is %d, expected DropNewest or DropOldest", i, l.Overflow)
		}
		if l.Overflow == OverflowDefault {
			l.Overflow = c.Overflow
		}
		all = append(all, &class{hub: h, pattern: glob, capacity: l.Capacity, overflow: l.Overflow})
	}
	return append(all, &class{hub: h, capacity: c.Capacity, overflow: c.Overflow}), nil
}

// classOf returns the limits of a channel.
func (h *Hub) classOf(channel string) *class {
	last := len(h.classes) - 1
	if last == 0 {
		return h.classes[0]
	}
	channel = globForm(channel)
	for _, c := range h.classes[:last] {
		if ok, _ := path.Match(c.pattern, channel); ok { // the pattern was checked by New
			return c
		}
	}
	return h.classes[last]
}

// globForm hides slashes from path.Match, for which they are special and for channels are not. No name has a NUL.
func globForm(s string) string { return strings.ReplaceAll(s, "/", "\x00") }
