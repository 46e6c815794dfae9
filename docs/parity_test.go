package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// families are the cases that parity.md has to have: a letter, and how many.
var families = map[string]int{
	"R": 18, "H": 5, "W": 11, "A": 7, "S": 7, "O": 9, "C": 8, "D": 13, "V": 13, "X": 19,
	"L": 6, "M": 10, "K": 24, "P": 14, "Z": 6,
}

var (
	parityRow = regexp.MustCompile(`^\| ([A-Z]\d+) \| (.+) \| (.+) \|$`)
	testName  = regexp.MustCompile("`(Test\\w+)`")
	testFunc  = regexp.MustCompile(`(?m)^func (Test\w+)\(`)
)

// TestParity holds the page to the tree: each case has one row, with a test or a
// reason, and each test that is named exists.
func TestParity(t *testing.T) {
	page, err := os.ReadFile("parity.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := testsOfTheTree(t)
	rows := map[string]string{}
	for line := range strings.Lines(string(page)) {
		m := parityRow.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			continue
		}
		id, where := m[1], m[3]
		if _, twice := rows[id]; twice {
			t.Errorf("%s has two rows", id)
		}
		rows[id] = where
		for _, name := range testName.FindAllStringSubmatch(where, -1) {
			if !tests[name[1]] {
				t.Errorf("%s: there is no test %s", id, name[1])
			}
		}
	}
	total := 0
	for letter, n := range families {
		for i := range n {
			if id := letter + strconv.Itoa(i+1); rows[id] == "" {
				t.Errorf("%s has no row", id)
			}
		}
		total += n
	}
	if len(rows) != total {
		t.Errorf("%d rows for %d cases", len(rows), total)
	}
}

// testsOfTheTree returns the names of all tests of all packages.
func testsOfTheTree(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		data, err := os.ReadFile(path)
		for _, m := range testFunc.FindAllStringSubmatch(string(data), -1) {
			names[m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
