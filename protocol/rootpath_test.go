package protocol_test

import (
	"testing"

	"github.com/portico-go/portico/protocol"
)

func TestWithRootPath(t *testing.T) {
	t.Parallel()
	outer, err := protocol.NewScope(&protocol.Request{Target: "/a%20b/c?d=e"})
	if err != nil {
		t.Fatal(err)
	}
	scope, err := outer.Descend(len("/a%20b"), nil).WithRootPath("/x%2Fy")
	if err != nil {
		t.Fatal(err)
	}
	got := [...]string{scope.Path(), scope.RawPath(), scope.RootPath(), scope.Rest(), scope.RawQuery(), outer.Path()}
	if want := [...]string{"/x/y/a b/c", "/x%2Fy/a%20b/c", "/x%2Fy/a%20b", "/c", "d=e", "/a b/c"}; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, root := range []string{"", "x", "/", "/x/", "//evil.example", "/x?y", "/x?", "/..", "/%2e%2e", "/%zz", "/%00", "/ä", "/a b"} {
		if s, err := outer.WithRootPath(root); err == nil {
			t.Errorf("the root path %q was taken: %s", root, s.RawPath())
		}
	}
	bare, err := protocol.NewScope(&protocol.Request{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bare.WithRootPath("/x"); err == nil {
		t.Error("a scope without a path took a root path")
	}
}
