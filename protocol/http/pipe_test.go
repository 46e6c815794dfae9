package http_test

import (
	"context"
	"io"
	stdlog "log"
	"net"
	"sync"
)

// A pipeListener accepts in-memory connections, which work in virtual time too.
type pipeListener struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Net: "unix", Name: "pipe"} }

func (l *pipeListener) Dial() (net.Conn, error) {
	return l.dial(context.Background())
}

func (l *pipeListener) dial(ctx context.Context) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case l.conns <- theirs:
		return ours, nil
	case <-l.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

var (
	quiet  = stdlog.New(io.Discard, "", 0) // cut answers are what the tests are about
	dialer net.Dialer
)

type dialFunc = func(ctx context.Context, network, addr string) (net.Conn, error)

// dialTo dials addr whatever it is asked for.
func dialTo(dial dialFunc, addr string) dialFunc {
	return func(ctx context.Context, network, _ string) (net.Conn, error) { return dial(ctx, network, addr) }
}
