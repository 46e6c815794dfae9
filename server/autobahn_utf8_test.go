package server_test

import (
	"fmt"
	"testing"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// Section 6: what is text and what is not, and that what is not is found as soon as it
// has come.
func TestAutobahn6_UTF8(t *testing.T) {
	const valid, kosme = "Hello-µ@ßöäüàá-UTF-8!!", "κόσμε"
	const bad = kosme + "\xed\xa0\x80edited"
	fault := []string{"close 1007"}
	part := func(s string) string { return frame(ws.NewFrame(ws.OpText, false, []byte(s))) }
	then := func(s string) string { return frame(ws.NewFrame(ws.OpContinuation, false, []byte(s))) }
	cases := []autobahnCase{
		{"6.1.1", text(""), 0, []string{`text ""`, alive}},
		{"6.1.2", part("") + then("") + raw(0x80, ""), 0, []string{`text ""`, alive}},
		{"6.1.3", part("") + then("middle frame payload") + raw(0x80, ""), 0, []string{`text "middle frame payload"`, alive}},
		{"6.2.1", text(valid), 0, []string{`text "` + valid + `"`, alive}},
		{"6.2.2", fragmented(ws.OpText, valid, 12), 0, []string{`text "` + valid + `"`, alive}},
		{"6.2.3", fragmented(ws.OpText, valid, 1), 0, []string{`text "` + valid + `"`, alive}},
		{"6.2.4", fragmented(ws.OpText, kosme, 1), 0, []string{`text "` + kosme + `"`, alive}},
		{"6.3.1", text(bad), 0, fault},
		{"6.3.2", fragmented(ws.OpText, bad, 1), 0, fault},
		// The client sends no more than this, so the fault must be found in it.
		{"6.4.1", part(kosme) + then("\xf4\x90\x80\x80"), 0, fault},
		{"6.4.2", part(kosme+"\xf4") + then("\x90"), 0, fault},
		{"6.4.3", text(kosme + "\xf4\x90\x80\x80" + "edited")[:6+len(kosme)+4], 0, fault},
		{"6.4.4", text(kosme + "\xf4\x90\x80\x80" + "edited")[:6+len(kosme)+2], 1, fault},
	}
	for _, s := range texts {
		for i, payload := range s.payloads {
			c := autobahnCase{fmt.Sprintf("6.%d.%d", s.section, i+1), text(payload), 0, fault}
			if valid := !s.invalid && s.section != 6; valid || s.section == 6 && utf8.ValidString(payload) {
				c.want = []string{describe(ws.OpText, []byte(payload)), alive}
			}
			cases = append(cases, c)
		}
	}
	autobahn(t, normalClose, cases)
}

// texts are the sections from 6.5 on, which are after Markus Kuhn's stress test of UTF-8
// decoders. Those of section 6.6 are valid if they end with a character.
var texts = []struct {
	section  int
	invalid  bool
	payloads []string
}{
	{5, false, []string{"κόσμε", "κ", "κό", "κόσ", "κόσμ"}},
	{6, false, prefixes("κόσμε")},
	{7, false, []string{"\x00", "\xc2\x80", "\xe0\xa0\x80", "\xf0\x90\x80\x80"}},
	{8, true, []string{"\xf8\x88\x80\x80\x80", "\xfc\x84\x80\x80\x80\x80"}},
	{9, false, []string{"\x7f", "\xdf\xbf", "\xef\xbf\xbf", "\xf4\x8f\xbf\xbf"}},
	{10, true, []string{"\xf7\xbf\xbf\xbf", "\xfb\xbf\xbf\xbf\xbf", "\xfd\xbf\xbf\xbf\xbf\xbf"}},
	{11, false, []string{"\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbd", "\xf4\x8f\xbf\xbf"}},
	{11, true, []string{"\xf4\x90\x80\x80"}}, // 6.11.5
	{12, true, append(repeated("\x80\xbf", 7), "\xbf", eachOf(0x80, 0xbf, ""))},
	{13, true, []string{eachOf(0xc0, 0xdf, " "), eachOf(0xe0, 0xef, " "), eachOf(0xf0, 0xf7, " "), eachOf(0xf8, 0xfb, " "), eachOf(0xfc, 0xfd, " ")}},
	{14, true, incomplete},
	{15, true, []string{"\xc0\xe0\x80\xf0\x80\x80\xf8\x80\x80\x80\xfc\x80\x80\x80\x80\xdf\xef\xbf\xf7\xbf\xbf\xfb\xbf\xbf\xbf\xfd\xbf\xbf\xbf\xbf"}},
	{16, true, []string{"\xfe", "\xff", "\xfe\xfe\xff\xff"}},
	{17, true, []string{"\xc0\xaf", "\xe0\x80\xaf", "\xf0\x80\x80\xaf", "\xf8\x80\x80\x80\xaf", "\xfc\x80\x80\x80\x80\xaf"}},
	{18, true, []string{"\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf", "\xf8\x87\xbf\xbf\xbf", "\xfc\x83\xbf\xbf\xbf\xbf"}},
	{19, true, []string{"\xc0\x80", "\xe0\x80\x80", "\xf0\x80\x80\x80", "\xf8\x80\x80\x80\x80", "\xfc\x80\x80\x80\x80\x80"}},
	{20, true, []string{"\xed\xa0\x80", "\xed\xad\xbf", "\xed\xae\x80", "\xed\xaf\xbf", "\xed\xb0\x80", "\xed\xbe\x80", "\xed\xbf\xbf"}},
	{21, true, []string{
		"\xed\xa0\x80\xed\xb0\x80", "\xed\xa0\x80\xed\xbf\xbf", "\xed\xad\xbf\xed\xb0\x80", "\xed\xad\xbf\xed\xbf\xbf",
		"\xed\xae\x80\xed\xb0\x80", "\xed\xae\x80\xed\xbf\xbf", "\xed\xaf\xbf\xed\xb0\x80", "\xed\xaf\xbf\xed\xbf\xbf",
	}},
	{22, false, nonCharacters()},
	{23, false, []string{"\ufff9", "\ufffa", "\ufffb", "\ufffc", "\ufffd", "\ufffe", "\uffff"}},
}

var incomplete = []string{
	"\xc0", "\xe0\x80", "\xf0\x80\x80", "\xf8\x80\x80\x80", "\xfc\x80\x80\x80\x80",
	"\xdf", "\xef\xbf", "\xf7\xbf\xbf", "\xfb\xbf\xbf\xbf", "\xfd\xbf\xbf\xbf\xbf",
}

// prefixes are those of s that are not empty, and s.
func prefixes(s string) (all []string) {
	for n := 1; n <= len(s); n++ {
		all = append(all, s[:n])
	}
	return all
}

// repeated are the first, the first two, … of n characters that repeat s.
func repeated(s string, n int) (all []string) {
	whole := ""
	for i := range n {
		whole += s[i%len(s) : i%len(s)+1]
		all = append(all, whole)
	}
	return all
}

// eachOf is all bytes from first to last, with something behind each.
func eachOf(first, last int, behind string) (s string) {
	for b := first; b <= last; b++ {
		s += string([]byte{byte(b)}) + behind
	}
	return s
}

// nonCharacters are the last two of each plane.
func nonCharacters() (all []string) {
	for plane := range rune(17) {
		all = append(all, string(plane<<16|0xfffe), string(plane<<16|0xffff))
	}
	return all
}
