package main

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
)

// A measurement is what the load generator printed of one run.
type measurement struct {
	Answers      int     `json:"answers"`
	Seconds      float64 `json:"seconds"`
	CPUMicros    float64 `json:"cpu_us_per_answer"`
	P50          float64 `json:"p50_us"`
	P99          float64 `json:"p99_us"`
	LoadCPUShare float64 `json:"load_cpu_share"`
}

// A table holds the measurements of a scenario: runs[candidate][round].
type table struct {
	scenario scenario
	runs     [][]measurement
}

// best returns the least CPU time per answer of a candidate.
func (t *table) best(candidate int) float64 {
	return slices.MinFunc(t.runs[candidate], func(a, b measurement) int {
		if a.CPUMicros < b.CPUMicros {
			return -1
		}
		return 1
	}).CPUMicros
}

// ratio returns portico's best as a part of a candidate's.
func (t *table) ratio(candidate int) float64 { return t.best(0) / t.best(candidate) }

// met reports whether portico is within the scenario's bar.
func (t *table) met() bool { return t.scenario.bar == 0 || t.ratio(1) <= t.scenario.bar }

// String renders the table.
func (t *table) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", t.scenario.name, t.scenario.what)
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "candidate\tCPU µs/op, best\tmedian\top/s\tp50 µs\tp99 µs\tportico's part\tpair by pair\t")
	for i, c := range t.scenario.candidates {
		fmt.Fprintf(w, "%s\t%.2f\t%.2f\t%.0f\t%.0f\t%.0f\t%.2f\t%s\t\n", c.name, t.best(i),
			t.median(i, func(m measurement) float64 { return m.CPUMicros }),
			t.median(i, func(m measurement) float64 { return float64(m.Answers) / m.Seconds }),
			t.median(i, func(m measurement) float64 { return m.P50 }),
			t.median(i, func(m measurement) float64 { return m.P99 }),
			t.ratio(i), t.pairs(i))
	}
	_ = w.Flush() // a strings.Builder does not fail
	if t.scenario.bar > 0 {
		verdict := "met"
		if !t.met() {
			verdict = "MISSED"
		}
		fmt.Fprintf(&b, "bar: at most %.2f of %s: %s\n", t.scenario.bar, t.scenario.candidates[1].name, verdict)
	}
	return b.String()
}

func (t *table) median(candidate int, of func(measurement) float64) float64 {
	var values []float64
	for _, m := range t.runs[candidate] {
		values = append(values, of(m))
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// pairs returns the ratio of each round.
func (t *table) pairs(candidate int) string {
	var parts []string
	for round, m := range t.runs[candidate] {
		parts = append(parts, fmt.Sprintf("%.2f", t.runs[0][round].CPUMicros/m.CPUMicros))
	}
	return strings.Join(parts, " ")
}
