// Package docs holds the documentation. Its test compiles every Go block of it.
package docs

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestBlocksCompile builds each Go block of the documents as a package of its own,
// laid over the module's tree, so that it sees what a reader's program would.
func TestBlocksCompile(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	replace := map[string]string{}
	var packages []string
	for _, b := range findBlocks(t, root) {
		if !strings.HasPrefix(strings.TrimLeft(b.code, "\n"), "package ") && !strings.HasPrefix(b.code, "// ") {
			t.Errorf("%s: a Go block must be a whole file that begins with its package clause; mark a sketch as text", b.place)
			continue
		}
		pkg := fmt.Sprintf("docs/block%d", len(packages))
		file := filepath.Join(dir, fmt.Sprintf("block%d.go", len(packages)))
		if err := os.WriteFile(file, []byte("// From "+b.place+"\n\n"+b.code), 0o600); err != nil {
			t.Fatal(err)
		}
		name := "block.go"
		if strings.Contains(b.code, `"testing"`) {
			name = "block_test.go"
		}
		replace[filepath.Join(root, pkg, name)] = file
		packages = append(packages, "./"+pkg)
	}
	if len(packages) == 0 {
		t.Fatal("no Go block was found")
	}
	overlay := filepath.Join(dir, "overlay.json")
	data, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(overlay, data, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"vet", "-overlay", overlay}, packages...)...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("the blocks do not compile: %v\n%s", err, out)
	}
}

// A block is a Go block of a document.
type block struct {
	place string // document:line
	code  string
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
