package redis_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/layertest"
	"github.com/portico-go/portico/channellayer/redis"
)

// soakVariable is for how long TestSoak runs, such as 1m, instead of a few seconds.
const soakVariable = "PORTICO_SOAK"

// The server, which has each write on its disk before it answers, is killed again and again. Nothing that it acknowledged is missing anywhere, or comes twice.
func TestSoak(t *testing.T) {
	t.Parallel()
	length := 4 * time.Second
	if v := os.Getenv(soakVariable); v != "" {
		var err error
		if length, err = time.ParseDuration(v); err != nil {
			t.Fatalf("%s: %v", soakVariable, err)
		}
	}
	s := launch(t, durable)
	layertest.Crashes(t, layertest.Backend{
		Broker: func(t *testing.T) channellayer.Broker {
			return open(t, redis.Options{Client: rueidis.ClientOption{InitAddress: []string{s.addr}}})
		},
		Stop:     func(*testing.T) { s.kill() },
		Start:    func(*testing.T) { s.start() },
		Patience: patience,
		Durable:  true,
	}, length)
}

// sleep waits, and reports whether ctx goes on.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}
