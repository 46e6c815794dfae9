package engine

import (
	"bytes"
	"fmt"
	"runtime"

	"github.com/portico-go/portico/protocol"
)

// maxStacks bounds the dump of all goroutines in which a stuck one is looked for.
const maxStacks = 16 << 20

// StackOf returns the stack of the goroutine that is in a method of l, or nil.
func StackOf(l *protocol.Lifecycle) []byte {
	receiver := fmt.Appendf(nil, "(%p", l) // as tracebacks print the receiver
	for stack := range bytes.SplitSeq(allStacks(), []byte("\n\n")) {
		for line := range bytes.Lines(stack) {
			if bytes.Contains(line, []byte("protocol.(*Lifecycle).")) && bytes.Contains(line, receiver) {
				return bytes.Clone(stack)
			}
		}
	}
	return nil
}

func allStacks() []byte {
	for size := 64 << 10; ; size *= 4 {
		buf := make([]byte, size)
		if n := runtime.Stack(buf, true); n < size || size >= maxStacks {
			return buf[:n]
		}
	}
}
