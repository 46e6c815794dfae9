//go:build linux

package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/portico-go/portico/benchmarks/load"
)

// A metric is something of a run; the less of it the better, unless more is.
type metric struct {
	title  string
	digits int // behind the point
	more   bool
	of     func(load.Report) float64
}

var (
	cpu        = metric{title: "CPU µs/op", digits: 2, of: func(r load.Report) float64 { return r.CPU }}
	enqueued   = metric{title: "µs/member", digits: 3, of: func(r load.Report) float64 { return r.CPU }}
	rate       = metric{title: "op/s", more: true, of: func(r load.Report) float64 { return float64(r.Ops) / r.Seconds }}
	p50        = metric{title: "p50 µs", of: func(r load.Report) float64 { return r.P50 }}
	p99        = metric{title: "p99 µs", of: func(r load.Report) float64 { return r.P99 }}
	span       = metric{title: "first to last write, ms", digits: 1, of: func(r load.Report) float64 { return r.Span }}
	commands   = metric{title: "commands/op", digits: 2, of: func(r load.Report) float64 { return r.Commands }}
	output     = metric{title: "bytes out/op", digits: 1, of: func(r load.Report) float64 { return r.Output }}
	resident   = metric{title: "bytes/conn", of: func(r load.Report) float64 { return r.Resident }}
	heap       = metric{title: "live heap/conn", of: func(r load.Report) float64 { return r.Heap }}
	goroutines = metric{title: "goroutines/conn", digits: 3, of: func(r load.Report) float64 { return r.Goroutines }}
	threads    = metric{title: "threads", of: func(r load.Report) float64 { return float64(r.Threads) }}
)

// A table holds the reports of a scenario: runs[candidate][round].
type table struct {
	scenario scenario
	runs     [][]load.Report
}

// values returns what a candidate has of a metric, round by round.
func (t *table) values(candidate int, m metric) []float64 {
	var values []float64
	for _, r := range t.runs[candidate] {
		values = append(values, m.of(r))
	}
	return values
}

func (t *table) best(candidate int, m metric) float64 {
	if m.more {
		return slices.Max(t.values(candidate, m))
	}
	return slices.Min(t.values(candidate, m))
}

func (t *table) median(candidate int, m metric) float64 {
	values := t.values(candidate, m)
	slices.Sort(values)
	return values[len(values)/2]
}

// String renders the table and its bars, in Markdown. Besides the first metric's
// median, the values are the best of all rounds, as the bars have them.
func (t *table) String() string {
	first, others := t.scenario.metrics[0], t.scenario.metrics[1:]
	head := []string{fmt.Sprintf("best of %d", len(t.runs[0])), first.title, "median"}
	for _, m := range others {
		head = append(head, m.title)
	}
	rows := [][]string{append(head, "portico's part", "round by round", "load's core")}
	for i, c := range t.scenario.candidates {
		row := []string{c.name, first.format(t.best(i, first)), first.format(t.median(i, first))}
		for _, m := range others {
			row = append(row, m.format(t.best(i, m)))
		}
		rows = append(rows, append(row, ratio(t.best(0, first), t.best(i, first)), t.pairs(i, first), t.loadCore(i)))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "### %s\n\n%s.\n\n%s", t.scenario.name, t.scenario.what, markdown(rows))
	for _, bar := range t.scenario.bars {
		fmt.Fprintf(&b, "\n- %s", t.judge(bar))
	}
	return b.String() + "\n"
}

// markdown renders a table whose first row is its head; numbers stand right.
func markdown(rows [][]string) string {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell), 3)
		}
	}
	var b strings.Builder
	for n, row := range rows {
		for i, cell := range row {
			if i == 0 {
				fmt.Fprintf(&b, "| %-*s ", widths[i], cell)
			} else {
				fmt.Fprintf(&b, "| %*s ", widths[i], cell)
			}
		}
		b.WriteString("|\n")
		if n > 0 {
			continue
		}
		b.WriteString("|" + strings.Repeat("-", widths[0]+2))
		for _, width := range widths[1:] {
			b.WriteString("|" + strings.Repeat("-", width+1) + ":")
		}
		b.WriteString("|\n")
	}
	return b.String()
}

// format renders a value; a metric that has not been measured is 0.
func (m metric) format(value float64) string {
	if value == 0 {
		return "-"
	}
	return fmt.Sprintf("%.*f", m.digits, value)
}

func ratio(a, b float64) string { return fmt.Sprintf("%.2f", a/b) }

// pairs returns what part of a candidate's value portico's is, for each round.
func (t *table) pairs(candidate int, m metric) string {
	ours, theirs := t.values(0, m), t.values(candidate, m)
	var parts []string
	for round := range theirs {
		parts = append(parts, ratio(ours[round], theirs[round]))
	}
	return strings.Join(parts, " ")
}

// loadCore returns how busy the load generator's core was at most: at 100 % the
// server has waited for it.
func (t *table) loadCore(candidate int) string {
	busiest := 0.0
	for _, r := range t.runs[candidate] {
		busiest = math.Max(busiest, r.LoadCore)
	}
	return fmt.Sprintf("%.0f %%", busiest*100)
}
