//go:build linux

package main

import (
	"context"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/portico-go/portico/benchmarks/load"
	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/redis"
)

// group is the one that is sent to.
const group = "all"

// said is 128 bytes of text.
var said = channellayer.Event{Type: "said", Value: strings.Repeat("portico ", 16)}

func node(o options) (*channellayer.Hub, error) {
	broker, err := redis.Open("redis://" + o.redis)
	if err != nil {
		return nil, err
	}
	return channellayer.New(channellayer.Config{Broker: broker})
}

func client(o options) (rueidis.Client, error) {
	return rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{o.redis}, DisableCache: true})
}

// redisHub measures this process's part of a group send through the server, which has
// no members anywhere.
func redisHub(ctx context.Context, o options) (load.Report, error) {
	layer, err := node(o)
	if err != nil {
		return load.Report{}, err
	}
	defer func() { _ = layer.Close() }()
	return repeat(ctx, o, os.Getpid(), func(ctx context.Context) error {
		_, err := layer.GroupSend(ctx, group, said)
		return err
	})
}

// redisBare measures a PUBLISH of the bytes that redisHub sends.
func redisBare(ctx context.Context, o options) (load.Report, error) {
	bare, err := client(o)
	if err != nil {
		return load.Report{}, err
	}
	defer bare.Close()
	channel, payload, err := overheard(ctx, o)
	if err != nil {
		return load.Report{}, err
	}
	return repeat(ctx, o, os.Getpid(), func(ctx context.Context) error {
		return bare.Do(ctx, bare.B().Publish().Channel(channel).Message(payload).Build()).Error()
	})
}

// overheard returns what a group send publishes, and where.
func overheard(ctx context.Context, o options) (channel, payload string, err error) {
	layer, err := node(o)
	if err != nil {
		return "", "", err
	}
	defer func() { _ = layer.Close() }()
	ear, err := client(o)
	if err != nil {
		return "", "", err
	}
	defer ear.Close()
	ctx, done := context.WithTimeout(ctx, 10*time.Second)
	defer done()
	err = ear.Receive(rueidis.WithOnSubscriptionHook(ctx, func(rueidis.PubSubSubscription) {
		go func() { _, _ = layer.GroupSend(ctx, group, said) }() // what fails is not heard
	}), ear.B().Psubscribe().Pattern("*."+group).Build(), func(m rueidis.PubSubMessage) {
		channel, payload = m.Channel, m.Message
		done()
	})
	if channel != "" {
		err = nil
	}
	return channel, payload, err
}

// pause is the time between two sends of nodes: what a server does after a pause costs
// more, so all must have the same.
const pause = 2 * time.Millisecond

// nodes measures the server's part of a group send to members on three nodes.
func nodes(ctx context.Context, o options) (load.Report, error) {
	var layers []*channellayer.Hub
	for range 3 {
		layer, err := node(o)
		if err != nil {
			return load.Report{}, err
		}
		defer func() { _ = layer.Close() }()
		layers = append(layers, layer)
	}
	arrived := make(chan struct{}, 1024)
	for i := range o.members {
		layer := layers[i%len(layers)]
		var member *channellayer.Subscription
		last := i >= o.members-len(layers) // one of each node
		member, err := layer.Subscribe(layer.NewChannel("member"), func() {
			for _, ok := member.Next(); ok; _, ok = member.Next() {
				if last {
					arrived <- struct{}{}
				}
			}
		})
		if err != nil {
			return load.Report{}, err
		}
		if err := member.Join(ctx, group); err != nil {
			return load.Report{}, err
		}
	}
	pace := time.NewTicker(pause)
	defer pace.Stop()
	sends := 0
	before, err := didServer(ctx, o)
	if err != nil {
		return load.Report{}, err
	}
	report, err := repeat(ctx, o, o.pid, func(ctx context.Context) error {
		<-pace.C
		sends++
		_, err := layers[0].GroupSend(ctx, group, said)
		for range min(len(layers), o.members) {
			select {
			case <-arrived:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return err
	})
	if err != nil {
		return report, err
	}
	after, err := didServer(ctx, o)
	report.Commands = float64(after.commands-before.commands) / float64(sends)
	report.Output = float64(after.output-before.output) / float64(sends)
	return report, err
}

// did is what a server has done since it began.
type did struct{ commands, output int64 }

// didServer asks a redis-server what it has done.
func didServer(ctx context.Context, o options) (d did, err error) {
	c, err := client(o)
	if err != nil {
		return d, err
	}
	defer c.Close()
	info, err := c.Do(ctx, c.B().Info().Section("stats").Build()).ToString()
	if err != nil {
		return d, err
	}
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch name {
		case "total_commands_processed":
			d.commands, err = strconv.ParseInt(value, 10, 64)
		case "total_net_output_bytes":
			d.output, err = strconv.ParseInt(value, 10, 64)
		}
		if err != nil {
			return d, err
		}
	}
	return d, nil
}
