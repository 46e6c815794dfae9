package load_test

import (
	"math"
	"testing"
	"time"

	"github.com/portico-go/portico/benchmarks/load"
)

func TestHistogramQuantiles(t *testing.T) {
	t.Parallel()
	var h load.Histogram
	if got := h.Quantile(0.99); got != 0 {
		t.Errorf("the p99 of nothing is %s", got)
	}
	for i := range 1000 {
		h.Add(time.Duration(i+1) * time.Microsecond)
	}
	for _, c := range []struct {
		q    float64
		want time.Duration
	}{{0, time.Microsecond}, {0.5, 501 * time.Microsecond}, {0.99, 991 * time.Microsecond}, {1, time.Millisecond}} {
		if got := h.Quantile(c.q); got < c.want || got > c.want+c.want/64 {
			t.Errorf("quantile %v is %s, want %s or up to 1/64 more", c.q, got, c.want)
		}
	}
}

// A duration lies within its bucket, and the bucket is narrow.
func TestHistogramResolution(t *testing.T) {
	t.Parallel()
	for _, d := range []time.Duration{1, 2, 63, 64, 65, 127, 128, 1000, 12345, time.Second, time.Hour, math.MaxInt64 - 1, math.MaxInt64} {
		var h load.Histogram
		h.Add(d)
		if got := h.Quantile(0.5); got < d || got-d > d/64 {
			t.Errorf("%d is counted as up to %d", d, got)
		}
	}
}

func TestHistogramOfNoTimeAtAll(t *testing.T) {
	t.Parallel()
	var h load.Histogram
	h.Add(0)
	h.Add(-5) // a clock that was set back
	if got := h.Quantile(1); got != 1 {
		t.Errorf("got %s, want the least duration", got)
	}
}
