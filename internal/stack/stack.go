// Package stack finds the goroutine of a handler that does not return, for the log.
package stack

import (
	"bytes"
	"fmt"
	"runtime"

	"github.com/portico-go/portico/protocol"
)

// most bounds the dump of all goroutines in which a stuck one is looked for.
const most = 16 << 20

// Of returns the stack of the goroutine that is in a method of l, or nil.
func Of(l *protocol.Lifecycle) []byte {
	receiver := fmt.Appendf(nil, "(%p", l) // as tracebacks print the receiver
	for trace := range bytes.SplitSeq(all(), []byte("\n\n")) {
		for line := range bytes.Lines(trace) {
			if bytes.Contains(line, []byte("protocol.(*Lifecycle).")) && bytes.Contains(line, receiver) {
				return bytes.Clone(trace)
			}
		}
	}
	return nil
}

func all() []byte {
	for size := 64 << 10; ; size *= 4 {
		buf := make([]byte, size)
		if n := runtime.Stack(buf, true); n < size || size >= most {
			return buf[:n]
		}
	}
}
