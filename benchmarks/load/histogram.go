package load

import (
	"math/bits"
	"time"
)

// resolution is the number of buckets per power of two, and must be one itself.
const (
	resolutionBits = 6
	resolution     = 1 << resolutionBits
)

// A Histogram counts durations in buckets whose width is at most 1/64 of their
// value.
type Histogram struct {
	buckets [64 * resolution]int
	count   int
}

// Add counts one duration.
func (h *Histogram) Add(d time.Duration) {
	h.buckets[bucket(uint64(max(d, 1)))]++
	h.count++
}

// Quantile returns the upper bound of the bucket in which the q-th part of the
// durations lies, 0.99 for example. It is 0 when there are none.
func (h *Histogram) Quantile(q float64) time.Duration {
	rank, seen := min(int(q*float64(h.count)), h.count-1), 0
	for b, n := range h.buckets {
		if seen += n; seen > rank {
			return upper(b)
		}
	}
	return 0
}

func bucket(v uint64) int {
	exp := bits.Len64(v) - 1
	if exp < resolutionBits {
		return int(v)
	}
	return (exp-resolutionBits+1)*resolution + int(v>>(exp-resolutionBits))&(resolution-1)
}

// upper returns the greatest value of a bucket.
func upper(b int) time.Duration {
	if b < resolution {
		return time.Duration(b)
	}
	shift := b/resolution - 1
	return time.Duration((uint64(b%resolution)+resolution+1)<<shift - 1)
}
