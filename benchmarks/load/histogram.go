package load

import (
	"math/bits"
	"time"
)

// A Histogram counts durations in buckets whose width is at most 1/16 of their
// value.
type Histogram struct {
	buckets [64 * 16]int
	count   int
}

// Add counts one duration.
func (h *Histogram) Add(d time.Duration) {
	h.buckets[bucket(uint64(max(d, 1)))]++
	h.count++
}

// Quantile returns the upper bound of the bucket in which the q-th part of the
// durations lies, 0.99 for example.
func (h *Histogram) Quantile(q float64) time.Duration {
	rank, seen := int(q*float64(h.count)), 0
	for b, n := range h.buckets {
		if seen += n; seen > rank {
			return upper(b)
		}
	}
	return 0
}

func bucket(v uint64) int {
	exp := bits.Len64(v) - 1
	if exp < 4 {
		return int(v)
	}
	return (exp-3)*16 + int(v>>(exp-4))&15
}

func upper(b int) time.Duration {
	if b < 16 {
		return time.Duration(b)
	}
	exp := b/16 + 3
	return time.Duration((uint64(b%16)+17)<<(exp-4) - 1)
}
