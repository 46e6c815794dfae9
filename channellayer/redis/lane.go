package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/portico-go/portico/channellayer"
)

// A lane is one connection that listens to the subjects of one hash slot; without Sharded there is one lane for all.
type lane struct {
	broker   *Broker
	prefix   string
	echo     *echo
	conn     rueidis.DedicatedClient
	broken   <-chan error
	receiver channellayer.Receiver
	leaving  atomic.Int32 // unsubscribes under way
	moved    chan struct{}
}

func (b *Broker) openLane(ctx context.Context, client rueidis.Client, i int) (*lane, error) {
	l := &lane{broker: b, prefix: b.lanePrefix(i), receiver: b.receiver, moved: make(chan struct{}, 1)}
	l.echo = newEcho(l.prefix)
	l.conn, _ = client.Dedicate()
	l.broken = l.conn.SetPubSubHooks(rueidis.PubSubHooks{OnMessage: l.message, OnSubscription: l.subscription})
	err := l.subscribe(ctx, []string{l.echo.channel})
	if err == nil {
		err = l.prove(ctx, client)
	}
	if err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

// message is called by the goroutine that reads the connection.
func (l *lane) message(m rueidis.PubSubMessage) {
	if m.Channel == l.echo.channel {
		l.echo.answer(m.Message)
		return
	}
	subject := l.trim(m.Channel)
	if strings.HasPrefix(subject, logSubject) {
		l.entry(subject, m.Message)
		return
	}
	l.receiver.Message(subject, []byte(m.Message))
}

// subscription notes that the server has ended subscriptions by itself, which it does when it gives a slot to another.
func (l *lane) subscription(s rueidis.PubSubSubscription) {
	if s.Kind == "sunsubscribe" && l.leaving.Load() == 0 {
		select {
		case l.moved <- struct{}{}:
		default:
		}
	}
}

func (l *lane) subscribe(ctx context.Context, channels []string) error {
	var command rueidis.Completed
	if l.broker.options.Sharded {
		command = l.conn.B().Ssubscribe().Channel(channels...).Build()
	} else {
		command = l.conn.B().Subscribe().Channel(channels...).Build()
	}
	if err := l.conn.Do(ctx, command).Error(); err != nil {
		return fmt.Errorf("redis: subscribe: %w", err)
	}
	return nil
}

func (l *lane) unsubscribe(ctx context.Context, channels []string) error {
	l.leaving.Add(1)
	defer l.leaving.Add(-1)
	var command rueidis.Completed
	if l.broker.options.Sharded {
		command = l.conn.B().Sunsubscribe().Channel(channels...).Build()
	} else {
		command = l.conn.B().Unsubscribe().Channel(channels...).Build()
	}
	if err := l.conn.Do(ctx, command).Error(); err != nil {
		return fmt.Errorf("redis: unsubscribe: %w", err)
	}
	return nil
}

// watch returns why the lane has broken.
func (l *lane) watch(ctx context.Context, client rueidis.Client) error {
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-l.broken:
			return lost(err)
		case <-l.moved:
			return errors.New("redis: the hash slot moved to another server")
		case <-ticker.C:
		}
		if quiet, _ := l.echo.missing(); quiet > silence {
			return fmt.Errorf("redis: what this node sends to itself has not come for %v", quiet.Round(time.Second))
		}
		l.call(ctx, client)
	}
}

// lost says what ended a connection.
func lost(err error) error {
	if err == nil {
		err = rueidis.ErrClosing
	}
	return fmt.Errorf("redis: the connection is lost: %w", err)
}

// close closes the connection, and waits until its reader has ended.
func (l *lane) close() {
	l.conn.Close()
	for range l.broken {
	} // until it is closed
}
