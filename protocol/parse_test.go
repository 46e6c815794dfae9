package protocol_test

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/portico-go/portico/protocol"
)

func TestSplitTarget(t *testing.T) {
	t.Parallel()
	good := map[string][3]string{
		"/":                {"/", "/", ""},
		"/a%20b/c?d=%00":   {"/a b/c", "/a%20b/c", "d=%00"},
		"/?":               {"/", "/", ""},
		"/a?b?c":           {"/a", "/a", "b?c"},
		"//a//":            {"//a//", "//a//", ""},
		"/a%2Fb":           {"/a/b", "/a%2Fb", ""},
		"/%E2%82%AC":       {"/€", "/%E2%82%AC", ""},
		"/.well-known/..a": {"/.well-known/..a", "/.well-known/..a", ""},
		"/...?/../":        {"/...", "/...", "/../"},
		"/a+b":             {"/a+b", "/a+b", ""},
	}
	for target, want := range good {
		path, raw, query, err := protocol.SplitTarget(target)
		if got := [3]string{path, raw, query}; err != nil || got != want {
			t.Errorf("SplitTarget(%q) = %q, %v; want %q", target, got, err, want)
		}
	}
	bad := []string{
		"", "a", "*", "http://h/", "?a", "/a b", "/a\tb", "/a\x00", "/\x7f", "/ä", "/a?b c", "/a?ä", "/a?\r\n",
		"/%", "/%2", "/%zz", "/%00", "/%0a", "/%7F", "/%C2%85", "/%ff", "/%C0%AF",
		"/.", "/..", "/a/../b", "/a/./b", "/%2e", "/%2E%2e", "/a/.%2e/b", "/..%2Fetc", "/a%2F..%2Fb", "/a/..",
	}
	for _, target := range bad {
		if path, _, _, err := protocol.SplitTarget(target); err == nil {
			t.Errorf("SplitTarget(%q) = %q, want an error", target, path)
		}
	}
}

func FuzzSplitTarget(f *testing.F) {
	for _, seed := range []string{"/", "/a%20b?c=d", "/%2e%2e/", "/a/./b", "/%00", "//", "/%C2%85", "*", "/?%"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, target string) {
		path, raw, query, err := protocol.SplitTarget(target)
		if err != nil {
			return
		}
		if whole := raw + "?" + query; whole != target && whole != target+"?" {
			t.Errorf("%q was split into %q and %q", target, raw, query)
		}
		u, err := url.ParseRequestURI(target)
		if err != nil || u.Path != path && !strings.HasPrefix(target, "//") || u.RawQuery != query && !strings.HasPrefix(target, "//") {
			t.Errorf("net/url has the path %q and the query %q (%v), we have %q and %q", u.Path, u.RawQuery, err, path, query)
		}
		if !utf8.ValidString(path) || strings.ContainsFunc(path, unicode.IsControl) {
			t.Errorf("the path %q is unclean", path)
		}
		for segment := range strings.SplitSeq(path, "/") {
			if segment == "." || segment == ".." {
				t.Errorf("the path %q has a dot segment", path)
			}
		}
	})
}

func TestQuery(t *testing.T) {
	t.Parallel()
	tests := []struct {
		query, name, want string
		found             bool
	}{
		{"a=1&b=2&a=3", "a", "1", true},
		{"a=1&b=2", "b", "2", true},
		{"a", "a", "", true},
		{"a=", "a", "", true},
		{"", "a", "", false},
		{"", "", "", false},
		{"&&", "", "", false},
		{"=x", "", "x", true},
		{"a%62=c%20d+e", "ab", "c d e", true},
		{"a+b=1", "a b", "1", true},
		{"a+b=1", "a+b", "", false},
		{"a%2Bb=1", "a+b", "1", true},
		{"a%20b=1", "a%20b", "", false},
		{"a=%zz&a=2", "a", "2", true},
		{"%zz=1", "%zz", "", false},
		{"a=b=c", "a", "b=c", true},
		{"aa=1", "a", "", false},
	}
	for _, tt := range tests {
		scope := newScope(t, &protocol.Request{Target: "/?" + tt.query})
		if got, found := scope.LookupQuery(tt.name); got != tt.want || found != tt.found || scope.Query(tt.name) != tt.want {
			t.Errorf("%q of %q = %q, %v; want %q, %v", tt.name, tt.query, got, found, tt.want, tt.found)
		}
	}
}

func FuzzQuery(f *testing.F) {
	for _, seed := range [][2]string{{"a=1&b=2&a=3", "a"}, {"a%62=c%20d+e", "ab"}, {"a+b=1", "a b"}, {"&&=x", ""}, {"a=%zz&a=2", "a"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, query, name string) {
		if strings.Contains(query, ";") {
			return // net/url drops a pair with one; WHATWG, and we, do not
		}
		scope, err := protocol.NewScope(&protocol.Request{Target: "/?" + query})
		if err != nil {
			return
		}
		values, _ := url.ParseQuery(query) // its error is about pairs that both pass over
		all, found := values[name]
		if got, ok := scope.LookupQuery(name); ok != found || ok && got != all[0] {
			t.Errorf("%q of %q = %q, %v; net/url has %q", name, query, got, ok, all)
		}
	})
}

func TestParseHeaders(t *testing.T) {
	t.Parallel()
	h, err := protocol.ParseHeaders("Host: a\r\nX-A:1\nx-a: \t2 \t\r\nEmpty:\r\nUTF: \u20ac\xe9\r\n\r\nBody: no\r\n")
	must(t, err)
	if h.Len() != 5 || h.Get("host") != "a" || h.Get("X-a") != "1" || h.Get("EMPTY") != "" || h.Get("Body") != "" || h.Get("") != "" || h.Get("Hos") != "" {
		t.Errorf("%v", slices.Collect(h.Values("x-a")))
	}
	if got := slices.Collect(h.Values("x-A")); !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("values = %q", got)
	}
	if _, found := h.Lookup("empty"); !found {
		t.Error("an empty field is not found")
	}
	for v := range h.Values("x-a") {
		if v != "1" {
			t.Error("it goes on behind a break")
		}
		break
	}
	if h, err := protocol.ParseHeaders(""); err != nil || h.Len() != 0 {
		t.Errorf("no fields: %v", err)
	}
	for _, block := range []string{
		"A", "A\r\n", ": b\r\n", "A : b\r\n", " A: b\r\n", "A: b\r\n c\r\n", "A: b\r\n\tc\r\n", "A: b\rc: d\r\n", "A: b\r\r\n",
		"A: \x00\r\n", "A: \x7f\r\n", "A: b\x85C: d\r\n", "A: b\u0085C: d\r\n", "Ä: b\r\n", "A\x00: b\r\n", "A: \x1b[2J\r\n", "A: b\n\rC: d\n",
	} {
		if h, err := protocol.ParseHeaders(block); err == nil {
			t.Errorf("ParseHeaders(%q) was taken with %d fields", block, h.Len())
		}
	}
}

func TestHeadersContains(t *testing.T) {
	t.Parallel()
	h, err := protocol.ParseHeaders("Connection: keep-alive, Upgrade\r\nConnection: x\r\n")
	must(t, err)
	for token, want := range map[string]bool{"upgrade": true, "keep-alive": true, "X": true, "keep": false, "": false} {
		if h.Contains("connection", token) != want {
			t.Errorf("Contains(%q) = %v", token, !want)
		}
	}
}

func TestFields(t *testing.T) {
	t.Parallel()
	var f protocol.Fields
	f.Add("A", "1")
	f.Add("a", "2")
	f.Add("B", "3")
	f.Set("A", "4")
	if f.Get("a") != "4" || len(f) != 2 || f.Get("C") != "" {
		t.Errorf("%v", f)
	}
	f.Del("b")
	h, err := protocol.NewHeaders(f)
	if err != nil || h.Len() != 1 || h.Get("A") != "4" {
		t.Errorf("%v, %v", h, err)
	}
	for _, bad := range []protocol.Field{{Name: "", Value: "x"}, {Name: "a b", Value: "x"}, {Name: "A", Value: "x\r\nSet-Cookie: a=b"}, {Name: "A\n", Value: "x"}} {
		if _, err := protocol.NewHeaders(protocol.Fields{bad}); err == nil || (protocol.Fields{bad}).Check() == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func FuzzParseHeaders(f *testing.F) {
	for _, seed := range []string{"Host: a\r\n\r\n", "A: b\n", "A: b\r\n c\r\n", "A: \xe9\x85\r\n", "A: \u20ac\u0105", "\r\nA: b", "A:\r\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, block string) {
		h, err := protocol.ParseHeaders(block)
		if err != nil {
			return
		}
		var fields protocol.Fields
		for name, value := range h.All() {
			fields.Add(name, value)
			if _, found := h.Lookup(name); !found || !slices.Contains(slices.Collect(h.Values(name)), value) {
				t.Errorf("%q is not found in %q", name, block)
			}
			if strings.ContainsAny(value, "\r\n\x00\x1b") || !protocol.IsToken(name) {
				t.Errorf("%q: %q was taken", name, value)
			}
		}
		again, err := protocol.NewHeaders(fields)
		if err != nil || again.Len() != h.Len() || h.Len() != len(fields) {
			t.Errorf("%q does not survive being written again: %v", block, err)
		}
	})
}

func TestCookies(t *testing.T) {
	t.Parallel()
	fields := protocol.Fields{{Name: "Cookie", Value: `a=1; b="two"; c=; d; =e; f g=h;i=j=k`}, {Name: "cookie", Value: `a=2;`}, {Name: "Cookie", Value: `q="`}}
	h, err := protocol.NewHeaders(fields)
	must(t, err)
	scope := newScope(t, &protocol.Request{Target: "/", Headers: h})
	var got []string
	for name, value := range scope.Cookies() {
		got = append(got, name+"="+value)
	}
	if want := []string{"a=1", "b=two", "c=", "i=j=k", "a=2", `q="`}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if v, ok := scope.Cookie("a"); v != "1" || !ok {
		t.Errorf("a = %q, %v", v, ok)
	}
	if _, ok := scope.Cookie("A"); ok {
		t.Error("cookie names have a case")
	}
}

// Where net/http takes a cookie we take the same one, but for names without "="
// and spaces around it, which no browser sends.
func FuzzCookies(f *testing.F) {
	for _, seed := range []string{"a=1; b=2", `a="x"`, "a=b=c;;d", "a = b", `a="`, "\t a=1\t;b=2 "} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		h, err := protocol.NewHeaders(protocol.Fields{{Name: "Cookie", Value: header}})
		if err != nil || spacedEquals.MatchString(header) {
			return
		}
		scope, err := protocol.NewScope(&protocol.Request{Target: "/", Headers: h})
		must(t, err)
		var ours []string
		for name, value := range scope.Cookies() {
			ours = append(ours, name+"="+value)
		}
		r := &http.Request{Header: http.Header{"Cookie": {h.Get("Cookie")}}}
		at := 0
		for _, c := range r.Cookies() { // net/http takes fewer: it is strict about values
			if c.Value == "" {
				continue // perhaps there was no "="
			}
			i := slices.Index(ours[at:], c.Name+"="+c.Value)
			if i < 0 {
				t.Fatalf("net/http has %s=%q of %q, we have %q", c.Name, c.Value, header, ours)
			}
			at += i + 1
		}
	})
}

var spacedEquals = regexp.MustCompile(`[ \t]=|=[ \t]`)

func newScope(t testing.TB, req *protocol.Request, values ...protocol.Binding) *protocol.Scope {
	t.Helper()
	s, err := protocol.NewScope(req, values...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
