package server_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

// closeFrame is a close with any code and reason.
func closeFrame(code int, reason string) string {
	return raw(0x88, string([]byte{byte(code >> 8), byte(code)})+reason)
}

func TestAutobahn7_Close(t *testing.T) {
	long := strings.Repeat("*", 256<<10)
	fault, malformed := []string{"close 1002"}, []string{"close 1007"}
	cases := []autobahnCase{
		{"7.1.1", text("Hello World!") + normalClose, 0, []string{`text "Hello World!"`, alive}},
		{"7.1.2", normalClose + normalClose, 0, []string{alive}},
		{"7.1.3", normalClose + ping(""), 0, []string{alive}},
		{"7.1.4", normalClose + text("Hello World!"), 0, []string{alive}},
		{"7.1.5", raw(0x01, "fragment1") + normalClose + raw(0x80, "fragment2"), 0, []string{alive}},
		{"7.1.6", text(long) + text("Hello World!") + normalClose + ping(""), 0, []string{describe(ws.OpText, []byte(long)), `text "Hello World!"`, alive}},
		{"7.3.1", raw(0x88, ""), 0, []string{"close"}},
		{"7.3.2", raw(0x88, "a"), 0, fault},
		{"7.3.3", closeFrame(1000, ""), 0, []string{alive}},
		{"7.3.4", closeFrame(1000, "Hello World!"), 0, []string{alive}},
		{"7.3.5", closeFrame(1000, strings.Repeat("*", 123)), 0, []string{alive}},
		{"7.3.6", closeFrame(1000, strings.Repeat("*", 124)), 0, fault},
		{"7.5.1", closeFrame(1000, "κόσμε\xed\xa0\x80edited"), 0, malformed},
	}
	for i, code := range []int{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999} {
		cases = append(cases, autobahnCase{fmt.Sprintf("7.7.%d", i+1), closeFrame(code, ""), 0, []string{fmt.Sprint("close ", code)}})
	}
	for i, code := range []int{0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999} {
		cases = append(cases, autobahnCase{fmt.Sprintf("7.9.%d", i+1), closeFrame(code, ""), 0, fault})
	}
	for i, code := range []int{5000, 65535} {
		cases = append(cases, autobahnCase{fmt.Sprintf("7.13.%d", i+1), closeFrame(code, ""), 0, fault})
	}
	autobahn(t, "", cases)
}
