package server_test

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// roleVariable names what the test binary is when a test starts it once more: a
// process with descriptors of its own.
const roleVariable = "PORTICO_TEST_ROLE"

// A role is a process that plays one. It ends when its standard input does.
type role struct {
	lines *bufio.Reader // what it prints
	log   *buffer       // and what it logs
}

func play(t *testing.T, name string, args ...string) *role {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), os.Args[0])
	cmd.Env = append(os.Environ(), roleVariable+"="+name, roleVariable+"_ARGS="+strings.Join(args, " "))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	r := &role{lines: bufio.NewReader(out), log: &buffer{}}
	cmd.Stderr = r.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v: %s", name, err, r.log)
		}
	})
	return r
}

// line returns the next line that the process prints.
func (r *role) line(t *testing.T) string {
	t.Helper()
	line, err := r.lines.ReadString('\n')
	if err != nil {
		t.Fatalf("%v; the process logged %s", err, r.log)
	}
	return strings.TrimSpace(line)
}

// args are the arguments of a role.
func args() []string { return strings.Fields(os.Getenv(roleVariable + "_ARGS")) }
