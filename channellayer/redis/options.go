package redis

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

// Defaults of [Options].
const (
	DefaultPrefix = "portico:"
	DefaultLanes  = 16
)

// silence is how long a server may take for one answer, and to be reached.
const silence = 5 * time.Second

// Options say which server to use, and how.
type Options struct {
	// Client has the addresses of the servers, credentials, TLS, Sentinel (Sentinel.MasterSet) and what else rueidis offers. InitAddress is
	// required. A Cluster is found out from the server. Client-side caching and retries are switched off, whatever it says; timeouts that are zero are 5 s.
	Client rueidis.ClientOption
	// Prefix is put before the names of all Redis channels; empty means "portico:". Nodes with one prefix are one layer.
	Prefix string
	// Sharded uses the sharded publish and subscribe of Redis 7, for a Cluster. It must be the same on all nodes of a layer.
	Sharded bool
	// Lanes is among how many hash slots the subjects are divided when Sharded; each node opens as many connections. Zero means 16. It must be
	// the same on all nodes of a layer, and should be several times the number of shards.
	Lanes int
}

// withDefaults returns the options with zero fields filled in, or an error that names the wrong one.
func (o Options) withDefaults() (Options, error) {
	if len(o.Client.InitAddress) == 0 {
		return o, errors.New("redis: options: Client.InitAddress is empty, expected the address of a server, such as 127.0.0.1:6379")
	}
	if o.Lanes < 0 || o.Lanes > 16384 {
		return o, fmt.Errorf("redis: options: Lanes is %d, expected 1 to 16384; zero means %d", o.Lanes, DefaultLanes)
	}
	if strings.ContainsAny(o.Prefix, "{}") {
		return o, fmt.Errorf("redis: options: Prefix %q has a brace, which Redis takes for a hash tag", o.Prefix)
	}
	if o.Prefix == "" {
		o.Prefix = DefaultPrefix
	}
	switch {
	case !o.Sharded:
		o.Lanes = 1
	case o.Lanes == 0:
		o.Lanes = DefaultLanes
	}
	o.Client.InitAddress = slices.Clone(o.Client.InitAddress)
	o.Client.DisableCache, o.Client.DisableRetry = true, true // a retried message could come twice
	if o.Client.ConnWriteTimeout == 0 {
		o.Client.ConnWriteTimeout = silence
	}
	if o.Client.Dialer.Timeout == 0 {
		o.Client.Dialer.Timeout = silence
	}
	return o, nil
}

// parseURL reads the URL that Open takes. No error shows the password.
func parseURL(raw string) (Options, error) {
	u, err := url.Parse(raw)
	if err != nil {
		if bad, ok := errors.AsType[*url.Error](err); ok {
			err = bad.Err
		}
		return Options{}, fmt.Errorf("redis: malformed URL: %w; expected redis://user:password@host:port/0", err)
	}
	client, err := rueidis.ParseURL(raw)
	if err != nil {
		return Options{}, fmt.Errorf("redis: URL %s: %w", u.Redacted(), err)
	}
	query := u.Query()
	o := Options{Client: client, Prefix: query.Get("prefix")}
	if v := query.Get("sharded"); v != "" {
		if o.Sharded, err = strconv.ParseBool(v); err != nil {
			return Options{}, fmt.Errorf("redis: URL %s: sharded is %q, expected true or false", u.Redacted(), v)
		}
	}
	if v := query.Get("lanes"); v != "" {
		if o.Lanes, err = strconv.Atoi(v); err != nil {
			return Options{}, fmt.Errorf("redis: URL %s: lanes is %q, expected a number", u.Redacted(), v)
		}
	}
	return o, nil
}
