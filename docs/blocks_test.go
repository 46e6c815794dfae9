// Package docs holds the documentation. Its test compiles every Go block of it.
package docs

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestBlocks vets each Go block of the documents as a package of its own, in a
// module beside portico's, as a reader's program would be, and runs the tests that
// are among them. Blocks of one document that begin with comments like
// "// room/main.go" are the files of one package.
func TestBlocks(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "go.mod"), "module example.com/blocks\n\ngo 1.26.0\n")
	write(t, filepath.Join(dir, "go.work"), "go 1.26.0\n\nuse (\n\t.\n\t"+root+"\n)\n")
	var count int
	for i, b := range findBlocks(t, root) {
		if !strings.HasPrefix(strings.TrimLeft(b.code, "\n"), "package ") && !strings.HasPrefix(b.code, "// ") {
			t.Errorf("%s: a Go block must be a whole file that begins with its package clause; mark a sketch as text", b.place)
			continue
		}
		write(t, filepath.Join(dir, b.file(i)), "// From "+b.place+"\n\n"+b.code)
		count++
	}
	if count == 0 {
		t.Fatal("no Go block was found")
	}
	run(t, dir, "vet", "./...")
	run(t, dir, "test", "./...")
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// run runs the go command in the module at dir.
func run(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK="+filepath.Join(dir, "go.work"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go %s: %v\n%s", args[0], err, out)
	}
}

// A block is a Go block of a document.
type block struct {
	place string // document:line
	code  string
}

// named is the first line of a block that is one file of several.
var named = regexp.MustCompile(`^// ([a-z]\w*)/(\w+\.go)\n`)

// file returns the path of the file that the block is; i makes that of a block
// without a name unique.
func (b block) file(i int) string {
	if m := named.FindStringSubmatch(b.code); m != nil {
		document, _, _ := strings.Cut(filepath.Base(b.place), ".")
		return filepath.Join(document+"-"+m[1], m[2])
	}
	name := "block.go"
	if strings.Contains(b.code, `"testing"`) {
		name = "block_test.go"
	}
	return filepath.Join(fmt.Sprintf("block%d", i), name)
}

func findBlocks(t *testing.T, root string) []block {
	t.Helper()
	var blocks []block
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "bin"):
			return filepath.SkipDir
		case filepath.Ext(path) != ".md":
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		place, err := filepath.Rel(root, path)
		blocks = append(blocks, split(place, string(data))...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return blocks
}

// split returns the Go blocks of one document.
func split(place, text string) []block {
	var blocks []block
	var code strings.Builder
	inside := false
	for i, line := range strings.Split(text, "\n") {
		switch {
		case !inside && strings.TrimSpace(line) == "```go":
			inside = true
			blocks = append(blocks, block{place: fmt.Sprintf("%s:%d", place, i+1)})
		case inside && strings.TrimSpace(line) == "```":
			inside = false
			blocks[len(blocks)-1].code = code.String()
			code.Reset()
		case inside:
			code.WriteString(line + "\n")
		}
	}
	return blocks
}
