package middleware_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/portico-go/portico/middleware"
	"github.com/portico-go/portico/protocol"
)

const (
	traceID     = "4bf92f3577b34da6a3ce929d0e0e4736"
	parentID    = "00f067aa0ba902b7"
	traceparent = "00-" + traceID + "-" + parentID + "-01"
)

// traced returns the trace behind TraceContext, and fails if the record has another.
func traced(t *testing.T, trusted []string, proto string, headers ...string) middleware.Trace {
	t.Helper()
	mw := middleware.TraceContext(middleware.TraceContextConfig{TrustedProxies: trusted})
	wantNoFault(t, mw)
	scope := scopeBehind(t, mw, request(t, proto, headers...))
	trace, ok := middleware.TraceKey.From(scope)
	if recorded, _ := middleware.TraceKey.Recorded(scope); !ok || recorded != trace {
		t.Fatalf("the scope has the trace %v and the record %v", trace, recorded)
	}
	if trace.Span == [8]byte{} || trace.Trace == [16]byte{} {
		t.Fatalf("a trace with zeros: %+v", trace)
	}
	return trace
}

func TestTraceContextGoesOn(t *testing.T) {
	t.Parallel()
	for _, proto := range []string{"http", "websocket"} {
		trace := traced(t, []string{"192.0.2.7"}, proto, "traceparent: "+traceparent, "tracestate: a=1", "tracestate: b@c=2")
		if trace.TraceID() != traceID || fmt.Sprintf("%x", trace.Parent) != parentID || !trace.Sampled || trace.State != "a=1,b@c=2" {
			t.Errorf("%s: %+v, want the caller's trace", proto, trace)
		}
		if want := "00-" + traceID + "-" + trace.SpanID() + "-01"; trace.Traceparent() != want || trace.SpanID() == parentID {
			t.Errorf("passes %s on, want %s with a span of its own", trace.Traceparent(), want)
		}
		if other := traced(t, []string{"192.0.2.7"}, proto, "traceparent: "+traceparent); other.Span == trace.Span {
			t.Error("two connections have one span")
		}
	}
}

func TestTraceContextBegins(t *testing.T) {
	t.Parallel()
	proxy := []string{"192.0.2.7"}
	tests := []struct {
		name    string
		trusted []string
		proto   string
		headers []string
	}{
		{"not trusted", nil, "http", []string{"traceparent: " + traceparent, "tracestate: a=1"}},
		{"chat", proxy, "chat", []string{"traceparent: " + traceparent, "tracestate: a=1"}},
		{"absent", proxy, "http", []string{"tracestate: a=1"}},
		{"twice", proxy, "http", []string{"traceparent: " + traceparent, "traceparent: " + traceparent, "tracestate: a=1"}},
		{"malformed", proxy, "http", []string{"traceparent: " + strings.ToUpper(traceparent), "tracestate: a=1"}},
	}
	for _, tt := range tests {
		trace := traced(t, tt.trusted, tt.proto, tt.headers...)
		if trace.TraceID() == traceID || trace.Parent != [8]byte{} || trace.Sampled || trace.State != "" {
			t.Errorf("%s: %+v, want a new trace", tt.name, trace)
		}
	}
}

func TestParseTraceparent(t *testing.T) {
	t.Parallel()
	const zeros = "00000000000000000000000000000000"
	tests := map[string]bool{
		traceparent:                                true,
		"00-" + traceID + "-" + parentID + "-00":   true,
		"00-" + traceID + "-" + parentID + "-ff":   true,
		"cc-" + traceID + "-" + parentID + "-01":   true,
		"cc-" + traceID + "-" + parentID + "-01-x": true,
		"cc-" + traceID + "-" + parentID + "-01x":  false,
		"00-" + traceID + "-" + parentID + "-01-x": false,
		"00-" + traceID + "-" + parentID + "-01-":  false,
		"ff-" + traceID + "-" + parentID + "-01":   false,
		"0g-" + traceID + "-" + parentID + "-01":   false,
		"00-" + zeros + "-" + parentID + "-01":     false,
		"00-" + traceID + "-" + zeros[:16] + "-01": false,
		"00-" + traceID + "-" + parentID + "-0":    false,
		"00-" + traceID + "-" + parentID + "-0G":   false,
		"00_" + traceID + "-" + parentID + "-01":   false,
		"00-" + traceID + "_" + parentID + "-01":   false,
		"00-" + traceID + "-" + parentID + "_01":   false,
		strings.ToUpper(traceparent):               false,
		"":                                         false,
	}
	for s, want := range tests {
		trace, err := middleware.ParseTraceparent(s)
		if (err == nil) != want {
			t.Errorf("%q: %v, want valid %v", s, err, want)
		}
		if want && (trace.TraceID() != traceID || trace.Sampled != strings.Contains("01ff", s[53:55])) {
			t.Errorf("%q: %+v", s, trace)
		}
	}
}

func TestTracestate(t *testing.T) {
	t.Parallel()
	many := func(n int) string { // n members with different keys
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "k%d=v,", i)
		}
		return strings.TrimSuffix(b.String(), ",")
	}
	tests := map[string]bool{
		"a=1":                           true,
		"a=1, b=2 ,\tc=3":               true,
		"a=1,,b=2":                      true,
		"0tenant@sys=x y":               true,
		"a_-*/9=!~":                     true,
		many(32):                        true,
		many(33):                        false,
		"a=1,a=2":                       false,
		"A=1":                           false,
		"0a=1":                          false,
		"a@0b=1":                        false,
		"a=":                            false,
		"a":                             false,
		"=1":                            false,
		"a=b=c":                         false,
		"a=é":                           false,
		",":                             false,
		"a=1\t,b=\t2":                   false,
		strings.Repeat("x", 513):        false,
		"a=" + strings.Repeat("x", 257): false,
		strings.Repeat("k", 257) + "=1": false,
	}
	for state, want := range tests {
		trace := traced(t, []string{"192.0.2.7"}, "http", "traceparent: "+traceparent, "tracestate: "+state)
		if got := trace.State != ""; got != want {
			t.Errorf("tracestate %.60q: kept %v, want %v", state, got, want)
		}
		if trace.TraceID() != traceID {
			t.Errorf("tracestate %.60q cost the trace", state)
		}
	}
}

func TestTraceContextFaults(t *testing.T) {
	t.Parallel()
	wantFault(t, middleware.TraceContext(middleware.TraceContextConfig{TrustedProxies: []string{"mesh"}}), "TraceContext", `"mesh"`)
}

func ExampleTraceContext() {
	app := middleware.TraceContext(middleware.TraceContextConfig{TrustedProxies: []string{"10.0.0.0/8"}})(
		answering(func(scope *protocol.Scope) {
			trace, _ := middleware.TraceKey.From(scope)
			_ = trace.Traceparent() // for what is called next
		}))
	fmt.Println(protocol.Check(app))
	// Output: <nil>
}

func ExampleParseTraceparent() {
	trace, err := middleware.ParseTraceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	fmt.Println(trace.TraceID(), trace.Sampled, err)
	// Output: 4bf92f3577b34da6a3ce929d0e0e4736 true <nil>
}

func FuzzTraceparent(f *testing.F) {
	f.Add(traceparent, "a=1,b@c=2")
	f.Add("cc-"+traceID+"-"+parentID+"-01-x", "")
	f.Add("", "=")
	f.Fuzz(func(t *testing.T, parent, state string) {
		trace, err := middleware.ParseTraceparent(parent)
		if err == nil {
			trace.Span = trace.Parent
			if again, err := middleware.ParseTraceparent(trace.Traceparent()); err != nil || again.Trace != trace.Trace || again.Sampled != trace.Sampled {
				t.Fatalf("%q became %q: %v", parent, trace.Traceparent(), err)
			}
		}
		headers, err := protocol.NewHeaders(protocol.Fields{{Name: "traceparent", Value: parent}, {Name: "tracestate", Value: state}})
		if err != nil {
			return
		}
		req := request(t, "http")
		req.Headers = headers
		mw := middleware.TraceContext(middleware.TraceContextConfig{TrustedProxies: []string{"0.0.0.0/0"}})
		got, _ := middleware.TraceKey.From(scopeBehind(t, mw, req))
		if len(got.State) > 512 || got.State != "" && !strings.Contains(got.State, "=") {
			t.Fatalf("kept the tracestate %q", got.State)
		}
	})
}
