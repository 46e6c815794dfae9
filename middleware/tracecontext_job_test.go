package middleware_test

import "testing"

// A job has no client: what its header says comes from the program that enqueued it.
func TestTraceContextOfAJobGoesOn(t *testing.T) {
	t.Parallel()
	for proto, want := range map[string]bool{" channel": true, " chat": false} {
		trace := traced(t, nil, proto, "traceparent: "+traceparent)
		if got := trace.TraceID() == traceID; got != want || trace.SpanID() == parentID {
			t.Errorf("%s: %s, expected the caller's trace %v, with a span of its own", proto, trace.Traceparent(), want)
		}
	}
}
