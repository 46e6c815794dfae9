package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/brokers"
)

const publishUsage = `Usage: portico publish -layer URL [OPTIONS] GROUP TYPE [JSON | -]

Sends an event to the members of a group, each of which handles it by its type; with -broadcast
to their clients. The value is JSON; "-" reads it from the standard input, and without it there
is none. Groups with history print the position of the message.

Options:
`

// layerVariable is where the URL is looked for if there is no -layer, so that a password need not be on the command line, for all to see.
const layerVariable = "PORTICO_LAYER"

// A publication is what the arguments of publish ask for.
type publication struct {
	layer     string
	broadcast bool
	channel   bool
	key       string
	history   string
	where     conditions
	timeout   time.Duration
	target    string
	event     channellayer.Event
	config    channellayer.Config
}

// conditions collects the values of -where.
type conditions []channellayer.SendOption

// String implements flag.Value.
func (c *conditions) String() string { return "" }

// Set implements flag.Value.
func (c *conditions) Set(text string) error {
	key, value, ok := strings.Cut(text, "=")
	if !ok || key == "" {
		return errors.New("expected KEY=VALUE")
	}
	*c = append(*c, channellayer.Where(key, value))
	return nil
}

func (p program) publish(ctx context.Context, args []string) int {
	var pub publication
	switch err := pub.parse(args, p); {
	case errors.Is(err, flag.ErrHelp):
		return exitDone
	case err != nil:
		_, _ = fmt.Fprintf(p.err, "portico publish: %v\n(\"portico publish -h\" tells more)\n", err)
		return exitUsage
	}
	ctx, cancel := context.WithTimeout(ctx, pub.timeout)
	defer cancel()
	position, err := pub.send(ctx)
	if err != nil {
		_, _ = fmt.Fprintln(p.err, "portico publish:", err)
		return exitFailed
	}
	if !position.IsZero() {
		_, _ = fmt.Fprintln(p.out, position)
	}
	return exitDone
}

func (u *publication) parse(args []string, p program) error {
	flags := flag.NewFlagSet("publish", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // what is wrong is said once
	flags.StringVar(&u.layer, "layer", "", "the `URL` of the layer's broker, redis://… or nats://…; by default that in $"+layerVariable)
	flags.BoolVar(&u.broadcast, "broadcast", false, "send to the clients of the members, with no handler in between")
	flags.BoolVar(&u.channel, "channel", false, "GROUP is the name of one connection's channel")
	flags.Var(&u.where, "where", "send only to members whose metadata has `KEY=VALUE`; may repeat, and all must hold")
	flags.StringVar(&u.history, "history", "", "the group has a history of `SIZE,AGE` as the nodes are configured, such as 1000,1h")
	flags.StringVar(&u.key, "key", "", "names this message: a second one with the same `KEY` has no effect; needs -history")
	flags.DurationVar(&u.timeout, "timeout", 10*time.Second, "how long to try, to connect included")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			flags.SetOutput(p.out)
			_, _ = io.WriteString(p.out, publishUsage)
			flags.PrintDefaults()
		}
		return err
	}
	if err := u.options(p); err != nil {
		return err
	}
	return u.message(flags.Args(), p)
}

// options checks what the options ask for, and fills in the configuration of the hub.
func (u *publication) options(p program) error {
	if u.layer == "" {
		u.layer = p.env(layerVariable)
	}
	if u.layer == "" || u.layer == brokers.Memory {
		return errors.New("no layer to send to: -layer or $" + layerVariable + " must be redis://HOST:PORT or nats://HOST:PORT")
	}
	if u.channel && (u.broadcast || len(u.where) > 0 || u.history != "") {
		return errors.New("-channel sends to one, and -broadcast, -where and -history are for groups")
	}
	if u.key != "" && u.history == "" {
		return errors.New("-key needs -history: a group without history does not remember what was sent")
	}
	if u.history != "" {
		size, age, _ := strings.Cut(u.history, ",")
		n, errSize := strconv.Atoi(size)
		d, errAge := time.ParseDuration(age)
		if errSize != nil || errAge != nil {
			return fmt.Errorf("-history is %q, expected SIZE,AGE such as 1000,1h", u.history)
		}
		u.config.History = []channellayer.History{{Pattern: "*", Size: n, Age: d}}
	}
	var err error
	u.config.Broker, err = brokers.Open(u.layer)
	return err
}

// message reads the target and the event.
func (u *publication) message(args []string, p program) error {
	if len(args) < 2 || len(args) > 3 {
		return fmt.Errorf("got %d arguments, expected GROUP TYPE [JSON | -], behind the options", len(args))
	}
	u.target, u.event.Type = args[0], args[1]
	if u.channel && !strings.Contains(u.target, "!") {
		return fmt.Errorf("%q is no channel of a connection: names that people agreed on are each process's own", u.target)
	}
	if u.key != "" {
		u.event.Header = channellayer.Header{{Key: channellayer.HeaderIdempotencyKey, Value: u.key}}
	}
	if len(args) == 2 {
		return nil
	}
	value := []byte(args[2])
	if args[2] == "-" {
		var err error
		if value, err = io.ReadAll(io.LimitReader(p.in, channellayer.MaxPayload+1)); err != nil {
			return fmt.Errorf("read the standard input: %w", err)
		}
		if len(value) > channellayer.MaxPayload {
			return fmt.Errorf("the standard input has more than %d bytes", channellayer.MaxPayload)
		}
	}
	if !json.Valid(value) {
		return errors.New("the value is no JSON; a text needs quotation marks, for the shell too: '\"hi\"'")
	}
	u.event.Value = json.RawMessage(value)
	return nil
}

// send sends the message as a node that comes and goes, and returns when the broker has it.
func (u *publication) send(ctx context.Context) (at channellayer.Position, err error) {
	hub, err := channellayer.New(u.config)
	if err != nil {
		return at, err
	}
	defer func() { err = errors.Join(err, hub.Close()) }()
	var d channellayer.Delivery
	switch {
	case u.channel:
		err = hub.Send(ctx, u.target, u.event)
	case u.broadcast:
		d, err = hub.Broadcast(ctx, u.target, u.event, u.where...)
	default:
		d, err = hub.GroupSend(ctx, u.target, u.event, u.where...)
	}
	if err != nil {
		return at, err
	}
	return d.Position, arrived(ctx, hub)
}

// arrived waits for an answer of the broker. What was published is only on its way to it, along the same connection, and has come when the answer comes.
func arrived(ctx context.Context, hub *channellayer.Hub) error {
	sub, err := hub.Subscribe(hub.NewChannel("publish"), nil)
	if err != nil {
		return err
	}
	if err := sub.Join(ctx, sub.Name()); err != nil {
		return fmt.Errorf("it may have been sent or not: %w", err)
	}
	return nil
}
