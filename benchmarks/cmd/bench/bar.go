//go:build linux

package main

import (
	"fmt"
	"slices"
	"strings"
)

// A bar is how much of a metric portico may have at the most.
type bar struct {
	metric  metric
	against []string // of the best of these candidates' best; none is an absolute bar
	most    float64
}

// A verdict is whether portico is within a bar.
type verdict struct {
	bar bar
	got float64
	met bool
}

// judge compares portico's best with the best of the candidates that a bar names.
func (t *table) judge(b bar) verdict {
	got := t.best(0, b.metric)
	if len(b.against) > 0 {
		var bests []float64
		for i, c := range t.scenario.candidates {
			if slices.Contains(b.against, c.name) {
				bests = append(bests, t.best(i, b.metric))
			}
		}
		got /= slices.Min(bests)
	}
	return verdict{bar: b, got: got, met: got > 0 && got <= b.most} // 0 was not measured
}

// missed returns how many bars portico misses.
func (t *table) missed() int {
	n := 0
	for _, b := range t.scenario.bars {
		if !t.judge(b).met {
			n++
		}
	}
	return n
}

// String says it plainly.
func (v verdict) String() string {
	result := "met"
	if !v.met {
		result = "MISSED"
	}
	switch b := v.bar; len(b.against) {
	case 0:
		return fmt.Sprintf("%s: at most %.*f, got %.*f: %s", b.metric.title, b.metric.digits, b.most, b.metric.digits, v.got, result)
	case 1:
		return fmt.Sprintf("%s: at most %.2f of %s, got %.2f: %s", b.metric.title, b.most, b.against[0], v.got, result)
	default:
		return fmt.Sprintf("%s: at most %.2f of the best of %s, got %.2f: %s",
			b.metric.title, b.most, strings.Join(b.against, " and "), v.got, result)
	}
}
