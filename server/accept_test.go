package server_test

import (
	"errors"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/server"
)

// faulty is a listener whose first Accepts fail.
type faulty struct {
	net.Listener
	err   error
	times atomic.Int32
}

func (f *faulty) Accept() (net.Conn, error) {
	if f.times.Add(-1) >= 0 {
		return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", f.err)}
	}
	return f.Listener.Accept()
}

func listenFaulty(t *testing.T, err error, times int32) *faulty {
	t.Helper()
	ln, lnErr := net.Listen("tcp", "127.0.0.1:0")
	if lnErr != nil {
		t.Fatal(lnErr)
	}
	f := &faulty{Listener: ln, err: err}
	f.times.Store(times)
	return f
}

// Without descriptors the server waits, says so once, and goes on.
func TestAcceptWithoutDescriptors(t *testing.T) {
	t.Parallel()
	ln := listenFaulty(t, syscall.EMFILE, 3)
	logger, logs := logged()
	stop := serve(all, server.Config{Logger: logger}, server.Listener{Net: ln})
	if got := talk(t, ln.Addr().String(), "/join /\n/quit\n"); !strings.HasPrefix(got, "/ok\n") {
		t.Errorf("got %q", got)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(logs.String(), "cannot accept"); n != 1 {
		t.Errorf("logged %d times, want once:\n%s", n, logs)
	}
}

// A listener that breaks ends the server, in order.
func TestBrokenListener(t *testing.T) {
	t.Parallel()
	ln := listenFaulty(t, syscall.EBADF, 1)
	err := server.New(all, server.Config{}).Serve(t.Context(), server.Listener{Net: ln})
	if !errors.Is(err, syscall.EBADF) {
		t.Fatalf("Serve = %v, want EBADF", err)
	}
}

// brittle is a protocol that panics where nobody expects it.
type brittle struct{ in string }

func (b brittle) Name() string { return "brittle" }

func (b brittle) Detect([]byte) protocol.Verdict {
	if b.in == "Detect" {
		panic("detect")
	}
	return protocol.Yes
}

func (b brittle) New(protocol.Limits) (protocol.Handshake, protocol.Codec) { return b, brittleCodec{b} }

func (b brittle) Decode(in []byte) (*protocol.Request, int, error) {
	if b.in == "Handshake" {
		panic("handshake")
	}
	return &protocol.Request{Protocol: "brittle", Target: "/"}, len(in), nil
}

type brittleCodec struct{ brittle }

func (b brittleCodec) Decode([]byte, func(protocol.Event) error) (int, error) { panic("decode") }

func (b brittleCodec) Append([]byte, protocol.Event) ([]byte, error) { panic("append") }

// A protocol that panics ends its connection, not the server.
func TestPanicsOfAProtocol(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"Detect", "Handshake", "Codec"} {
		t.Run(in, func(t *testing.T) {
			t.Parallel()
			logger, logs := logged()
			addr, stop := run(t, echo, server.Config{Logger: logger, Protocols: []protocol.Protocol{brittle{in}}})
			for range 2 {
				if got := talk(t, addr, "x"); got != "" {
					t.Errorf("got %q", got)
				}
			}
			if err := stop(); err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(logs.String(), `"level":"error"`); n < 2 {
				t.Errorf("logged %d times:\n%s", n, logs)
			}
		})
	}
}
