package nats

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// DefaultPrefix is the prefix of Options without one.
const DefaultPrefix = "portico."

// silence is how long a server may take to be reached, and for an answer.
const silence = 5 * time.Second

// Options say which servers to use, and how.
type Options struct {
	// URL is the address of a server, or of several with commas between them.
	URL string
	// Prefix is put before all subjects; empty means "portico.". It is one or more tokens of letters, digits, "-" and "_", each with a dot
	// behind it. Nodes with one prefix are one layer.
	Prefix string
	// Client holds further options of the connection, such as nats.UserCredentials and nats.Secure. Those for reconnecting and for callbacks are the broker's own.
	Client []nats.Option
	// History says how the JetStream stream for groups with history is made; its zero value keeps it in files, on one server.
	History StreamOptions
}

var goodPrefix = regexp.MustCompile(`^([A-Za-z0-9_-]+\.)+$`)

// withDefaults returns the options with zero fields filled in, or an error that names the wrong one.
func (o Options) withDefaults() (Options, error) {
	if o.URL == "" {
		return o, errors.New("nats: options: URL is empty, expected the address of a server, such as nats://127.0.0.1:4222")
	}
	for server := range strings.SplitSeq(o.URL, ",") {
		if _, err := url.Parse(strings.TrimSpace(server)); err != nil {
			if bad, ok := errors.AsType[*url.Error](err); ok {
				err = bad.Err // without the URL, which may have a password
			}
			return o, fmt.Errorf("nats: options: malformed URL: %w; expected nats://user:password@host:port", err)
		}
	}
	if o.Prefix == "" {
		o.Prefix = DefaultPrefix
	}
	if !goodPrefix.MatchString(o.Prefix) {
		return o, fmt.Errorf("nats: options: Prefix is %q, expected tokens of letters, digits, - and _ with a dot behind each, such as %q", o.Prefix, DefaultPrefix)
	}
	return o, o.History.check("History")
}

const (
	pauseFirst = 25 * time.Millisecond
	pauseMost  = time.Second
)

// client returns the options of a connection whose changes b is told of.
func (o Options) client(b *Broker) []nats.Option {
	return append(o.lasting(),
		nats.NoEcho(), // members here have it already
		nats.ConnectHandler(b.connected),
		nats.ReconnectHandler(b.connected),
		nats.DisconnectErrHandler(b.disconnected),
		nats.ErrorHandler(b.failed),
		nats.ClosedHandler(b.ended),
	)
}

// lasting returns the options of a connection that is made again and again. The user's come first: those below are what the contract rests on.
func (o Options) lasting() []nats.Option {
	return append(append([]nats.Option{nats.Timeout(silence)}, o.Client...),
		nats.MaxReconnects(-1),
		nats.IgnoreAuthErrorAbort(), // a server that refuses for a while is as one that is away
		nats.ReconnectBufSize(-1),   // what cannot be sent now is an error now
		nats.CustomReconnectDelay(func(attempts int) time.Duration {
			pause := min(pauseFirst<<min(attempts, 10), pauseMost)
			return pause/2 + rand.N(pause) //nolint:gosec // jitter is no secret
		}),
		nats.FlusherTimeout(silence),
		nats.PingInterval(2*time.Second),
		nats.MaxPingsOutstanding(2),
	)
}

// parseURL reads the URL that Open takes.
func parseURL(raw string) (Options, error) {
	servers, rest, _ := strings.Cut(raw, "?")
	query, err := url.ParseQuery(rest)
	if err != nil {
		return Options{}, fmt.Errorf("nats: malformed query of the URL: %w", err)
	}
	for key := range query {
		if key != "prefix" {
			return Options{}, fmt.Errorf("nats: the URL's query has %q, expected prefix and nothing else", key)
		}
	}
	return Options{URL: servers, Prefix: query.Get("prefix")}, nil
}
