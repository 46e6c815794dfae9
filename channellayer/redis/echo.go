package redis

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

// An echo is what a lane sends to itself to know that messages still come. Connections that live are not enough: the servers at their other ends may not know
// each other, as after a failover or while a Cluster that was down comes together again. So it takes every way that a message may take.
type echo struct {
	channel string // of this lane alone
	heard   chan struct{}

	mu    sync.Mutex
	asked map[string]time.Time // by way, since when an echo is missing
}

func newEcho(prefix string) *echo {
	return &echo{channel: prefix + "echo." + rand.Text(), heard: make(chan struct{}, 1), asked: map[string]time.Time{}}
}

// ways returns the clients through which messages are published: one that knows the way, or in a Cluster without shards each server of it, because
// any of them may get a message and has to pass it on.
func (l *lane) ways(client rueidis.Client) map[string]rueidis.Client {
	if !l.broker.options.Sharded && client.Mode() == rueidis.ClientModeCluster {
		return client.Nodes()
	}
	return map[string]rueidis.Client{"": client}
}

// call sends an echo on every way, and returns how many were taken.
func (l *lane) call(ctx context.Context, client rueidis.Client) int {
	ctx, cancel := context.WithTimeout(ctx, beat)
	defer cancel()
	ways := l.ways(client)
	taken := 0
	var all sync.WaitGroup
	for name, way := range ways {
		l.echo.ask(name)
		all.Go(func() {
			err := way.Do(ctx, way.B().Arbitrary(l.broker.publish()).Keys(l.echo.channel).Args(name).Build()).Error()
			l.echo.mu.Lock()
			defer l.echo.mu.Unlock()
			if err == nil {
				taken++
			} else if len(ways) > 1 { // a server that has gone passes nothing on, and takes nothing: its senders know
				delete(l.echo.asked, name)
			}
		})
	}
	all.Wait()
	return taken
}

func (e *echo) ask(way string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, ok := e.asked[way]; !ok {
		e.asked[way] = time.Now()
	}
}

// answer notes that the echo has come on a way.
func (e *echo) answer(way string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.asked, way)
	select {
	case e.heard <- struct{}{}:
	default:
	}
}

// missing returns for how long an echo has been missing, and whether any is.
func (e *echo) missing() (time.Duration, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	longest := time.Duration(0)
	for _, since := range e.asked {
		longest = max(longest, time.Since(since))
	}
	return longest, len(e.asked) > 0
}

// prove returns when an echo has come on every way.
func (l *lane) prove(ctx context.Context, client rueidis.Client) error {
	for {
		taken := l.call(ctx, client)
		again := time.NewTimer(100 * time.Millisecond)
		for waiting := true; waiting; {
			if _, missing := l.echo.missing(); taken > 0 && !missing {
				again.Stop()
				return nil
			}
			select {
			case <-l.echo.heard:
			case <-again.C:
				waiting = false
			case err := <-l.broken:
				again.Stop()
				return lost(err)
			case <-ctx.Done():
				again.Stop()
				return fmt.Errorf("redis: what this node sends to itself does not come: %w", ctx.Err())
			}
		}
	}
}
