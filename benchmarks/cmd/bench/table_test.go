//go:build linux

package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/portico-go/portico/benchmarks/load"
)

// costs returns the reports of runs that cost so much.
func costs(micros ...float64) []load.Report {
	var reports []load.Report
	for _, c := range micros {
		reports = append(reports, load.Report{CPU: c, P99: 100 * c, Ops: 1000, Seconds: 1})
	}
	return reports
}

func compared(bars ...bar) *table {
	return &table{
		scenario: scenario{
			name: "echo", what: "there and back",
			candidates: append([]candidate{portico()}, peers("gws", "gorilla")...),
			metrics:    []metric{cpu, rate, p99},
			bars:       bars,
		},
		runs: [][]load.Report{costs(8, 6, 7), costs(10, 12, 11), costs(9, 8, 20)},
	}
}

func TestBars(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		bar  bar
		got  float64
		met  bool
		says string
	}{
		{"best of one against the best of the other", bar{cpu, []string{"gws"}, 0.60}, 0.6, true, "CPU µs/op: at most 0.60 of gws, got 0.60: met"},
		{"just too much", bar{cpu, []string{"gws"}, 0.59}, 0.6, false, "CPU µs/op: at most 0.59 of gws, got 0.60: MISSED"},
		{"the better of two", bar{p99, []string{"gws", "gorilla"}, 0.70}, 0.75, false, "p99 µs: at most 0.70 of the best of gws and gorilla, got 0.75: MISSED"},
		{"absolute", bar{p99, nil, 600}, 600, true, "p99 µs: at most 600, got 600: met"},
		{"absolute, too much", bar{cpu, nil, 5}, 6, false, "CPU µs/op: at most 5.00, got 6.00: MISSED"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v := compared().judge(c.bar)
			if v.got != c.got || v.met != c.met || v.String() != c.says {
				t.Errorf("got %v, %t, %q; want %v, %t, %q", v.got, v.met, v, c.got, c.met, c.says)
			}
		})
	}
}

func TestABarNeverHoldsWithoutAMeasurement(t *testing.T) {
	t.Parallel()
	tab := compared(bar{resident, nil, 1280}, bar{resident, []string{"gws"}, 1})
	if missed := tab.missed(); missed != 2 {
		t.Errorf("%d bars on what was not measured are missed, want 2:\n%s", missed, tab)
	}
}

func TestMissedBarsAreCounted(t *testing.T) {
	t.Parallel()
	tab := compared(bar{cpu, []string{"gws"}, 0.5}, bar{cpu, []string{"gws"}, 0.7}, bar{p99, nil, 1})
	if missed := tab.missed(); missed != 2 {
		t.Errorf("%d bars are missed, want 2", missed)
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	const want = `### echo

there and back.

| best of 3 | CPU µs/op | median | op/s | p99 µs | portico's part | round by round | load's core |
|-----------|----------:|-------:|-----:|-------:|---------------:|---------------:|------------:|
| portico   |      6.00 |   7.00 | 1000 |    600 |           1.00 | 1.00 1.00 1.00 |         0 % |
| gws       |     10.00 |  11.00 | 1000 |   1000 |           0.60 | 0.80 0.50 0.64 |         0 % |
| gorilla   |      8.00 |   9.00 | 1000 |    800 |           0.75 | 0.89 0.75 0.35 |         0 % |

- CPU µs/op: at most 0.80 of gws, got 0.60: met
`
	if got := compared(bar{cpu, []string{"gws"}, 0.80}).String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestBestOfWhatShouldBeMuch(t *testing.T) {
	t.Parallel()
	tab := compared()
	tab.runs[0][1].Ops = 3000
	if got := tab.best(0, rate); got != 3000 {
		t.Errorf("the best of 1000, 3000 and 1000 op/s is %v", got)
	}
}

func TestScenariosNameTheirCandidates(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, s := range scenarios(full) {
		if names[s.name] {
			t.Errorf("two scenarios are called %s", s.name)
		}
		names[s.name] = true
		there := map[string]bool{}
		for _, c := range s.candidates {
			there[c.name] = true
		}
		if !strings.HasPrefix(s.candidates[0].name, "portico") {
			t.Errorf("%s: the first candidate is %s", s.name, s.candidates[0].name)
		}
		if len(s.bars) == 0 && !s.extra {
			t.Errorf("%s has no bar", s.name)
		}
		for _, b := range s.bars {
			for _, name := range b.against {
				if !there[name] {
					t.Errorf("%s: a bar against %s, which does not run", s.name, name)
				}
			}
		}
	}
}

func TestWithoutCandidates(t *testing.T) {
	t.Parallel()
	s := echo().without(regexp.MustCompile("^gws$"))
	if len(s.candidates) != 2 || s.candidates[1].name != "gws" {
		t.Errorf("got the candidates %v, want portico and gws", s.candidates)
	}
	if len(s.bars) != 1 || s.bars[0].against[0] != "gws" {
		t.Errorf("got the bars %v, want that against gws alone", s.bars)
	}
}

func TestWithAnotherBuild(t *testing.T) {
	t.Parallel()
	without := connect()
	s := without.with("/target")
	if len(s.candidates) != len(without.candidates)+1 || s.candidates[1].name != "before" || s.candidates[1].bin != "/target" {
		t.Errorf("got the candidates %v, want another build behind portico", s.candidates)
	}
	if portico := s.candidates[0]; portico.name == "before" || portico.bin == "/target" {
		t.Errorf("portico is %v now", portico)
	}
	if got := enqueue(full).with("/target"); len(got.candidates) != len(enqueue(full).candidates) {
		t.Errorf("got the candidates %v, where no server runs", got.candidates)
	}
}
