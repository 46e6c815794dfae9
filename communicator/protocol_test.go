package communicator_test

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/portico-go/portico/communicator"
	"github.com/portico-go/portico/protocol"
)

// telegraph is a protocol whose handshake is a line with a path.
type telegraph struct{ protocol.Codec }

func (telegraph) Name() string                   { return "telegraph" }
func (telegraph) Detect([]byte) protocol.Verdict { return protocol.Yes }

func (p telegraph) New(protocol.Limits) (protocol.Handshake, protocol.Codec) {
	return telegraphHandshake{}, p
}

type telegraphHandshake struct{}

func (telegraphHandshake) Decode(in []byte) (*protocol.Request, int, error) {
	line, _, ok := bytes.Cut(in, []byte("\n"))
	switch {
	case !ok:
		return nil, 0, nil
	case len(line) == 0:
		return nil, 0, protocol.Rejectf(400, "say where to")
	}
	return &protocol.Request{Protocol: "telegraph", Framing: protocol.FramingLine, Target: string(line)}, len(line) + 1, nil
}

func ExampleProtocol() {
	lines := communicator.Protocol(t, greeter, telegraph{}, "/lobby\n")
	if _, err := lines.Connect(); err != nil {
		t.Fatal(err)
	}
	fmt.Println(lines.ReceiveText())
	fmt.Println(lines.Disconnect(protocol.CloseNormal))
	// Output:
	// hello over telegraph <nil>
	// <nil>
}

// failed is a test that notes why it failed.
type failed struct {
	testing.TB
	why string
}

func (f *failed) Helper() {}

func (f *failed) Fatalf(format string, args ...any) {
	f.why = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// A handshake that leads nowhere is a fault of the test, and told so.
func TestProtocolHandshakes(t *testing.T) {
	t.Parallel()
	for handshake, want := range map[string]string{
		"/lobby":       "needs more",
		"\n":           "say where to",
		"/lobby\nhi\n": `has "hi\n" left`,
	} {
		f, over := &failed{TB: t}, make(chan struct{})
		go func() {
			defer close(over)
			communicator.Protocol(f, echo(), telegraph{}, handshake)
		}()
		<-over
		if !strings.Contains(f.why, want) {
			t.Errorf("%q: the test failed with %q, want %q", handshake, f.why, want)
		}
	}
}
