// Portico is the command line tool.
//
//	portico publish -layer redis://127.0.0.1:6379 room.go said '{"room":"go","from":"cron","via":"shell","text":"hi"}'
//
// It ends with status 0 when what was asked for is done, 1 when it is not, and 2 when it was not understood.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Exit statuses.
const (
	exitDone = iota
	exitFailed
	exitUsage
)

const usage = `Usage: portico COMMAND [ARGUMENTS]

Commands:
  publish   send a message to a group or a channel of the channel layer

"portico COMMAND -h" tells more.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	p := program{in: os.Stdin, out: os.Stdout, err: os.Stderr, env: os.Getenv}
	os.Exit(p.run(ctx, os.Args[1:])) //nolint:gocritic // nothing is left to be stopped
}

// A program is what the command line tool has to do with the world.
type program struct {
	in       io.Reader
	out, err io.Writer
	env      func(string) string
}

// run runs one command and returns its exit status.
func (p program) run(ctx context.Context, args []string) int {
	if len(args) == 0 {
		_, _ = io.WriteString(p.err, usage)
		return exitUsage
	}
	switch args[0] {
	case "publish":
		return p.publish(ctx, args[1:])
	case "help", "-h", "-help", "--help":
		_, _ = io.WriteString(p.out, usage)
		return exitDone
	}
	_, _ = fmt.Fprintf(p.err, "portico: the command %q is unknown\n\n%s", args[0], usage)
	return exitUsage
}
