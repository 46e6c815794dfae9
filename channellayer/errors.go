package channellayer

import (
	"errors"
	"fmt"
)

// Errors that callers test for with errors.Is. The returned errors say more: which name, which limit, what to do.
var (
	// ErrClosed is returned by every call on a hub or a subscription that has been closed.
	ErrClosed = errors.New("channellayer: closed")
	// ErrChannelFull is matched by the [ChannelFullError] that [Hub.Send] returns. Group sends never return it.
	ErrChannelFull = errors.New("channellayer: channel full")
	// ErrNoSubscriber means that a channel is read by nobody, and that nothing is kept for it.
	ErrNoSubscriber = errors.New("channellayer: no subscriber")
	// ErrSubscribed means that a channel name already has its one subscriber in this hub.
	ErrSubscribed = errors.New("channellayer: already subscribed")
	// ErrInvalidName means that a channel, group or event name breaks the rule of [CheckName].
	ErrInvalidName = errors.New("channellayer: invalid name")
	// ErrTooLarge means that a message is over a limit of the envelope: [MaxPayload], [MaxHeaders], [MaxHeaderValue].
	ErrTooLarge = errors.New("channellayer: message too large")
	// ErrBrokerDown means that other nodes cannot be reached now. What was asked for has been done in this process: members here have the message, a
	// membership counts here, and will count everywhere once the broker is back. Messages for groups with history are another matter: see ErrUnconfirmed.
	ErrBrokerDown = errors.New("channellayer: broker down")
	// ErrUnconfirmed means that a message for a group with history is not known to be stored: nobody has it, or all members get it. With
	// the same [HeaderIdempotencyKey] it can be sent again without doubt. It comes with what happened, such as ErrBrokerDown.
	ErrUnconfirmed = errors.New("channellayer: not known to be stored")
	// ErrNoHistory means that a group has no history to recover from.
	ErrNoHistory = errors.New("channellayer: no history")
	// ErrGap means that the log has dropped what was to be read next.
	ErrGap = errors.New("channellayer: gap in the history")
	// ErrPosition means that a text is no position.
	ErrPosition = errors.New("channellayer: bad position")
	// ErrEnvelope means that bytes are not an envelope that this version can read.
	ErrEnvelope = errors.New("channellayer: bad envelope")
)

var (
	errNotYet = errors.New("it has not been connected yet")
	errGap    = errors.New("it was connected again")
)

// A ChannelFullError says that a message was not queued because its channel held as many as it may.
// errors.Is(err, ErrChannelFull) is true for it.
type ChannelFullError struct {
	Channel  string // the channel's name
	Capacity int    // how many messages it holds, or how many the hub keeps for all channels without a reader
}

// Error names the channel and its capacity.
func (e *ChannelFullError) Error() string {
	return fmt.Sprintf("channellayer: channel %q is full (%d messages wait): its reader is too slow, or its capacity too small",
		e.Channel, e.Capacity)
}

// Unwrap returns ErrChannelFull.
func (e *ChannelFullError) Unwrap() error { return ErrChannelFull }
