package main

import (
	"maps"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"testing"
)

func TestLogIn(t *testing.T) {
	t.Parallel()
	addr := serve(t)
	wantUser(t, addr, `{"user":null}`)

	answer, _ := postForm(t, "http://"+addr+"/login", url.Values{"username": {"alice"}, "password": {"wonderland"}})
	if answer.StatusCode != http.StatusSeeOther || answer.Header.Get("Location") != "/" {
		t.Errorf("log-in: status %d and location %q, want 303 and /", answer.StatusCode, answer.Header.Get("Location"))
	}
	cookies := answer.Cookies()
	if len(cookies) != 1 || cookies[0].Name != "sessionid" {
		t.Fatalf("log-in set the cookies %q, want sessionid alone", answer.Header.Values("Set-Cookie"))
	}
	if c := cookies[0]; !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
		t.Errorf("log-in set %s, want HttpOnly, SameSite=Lax, Path=/ and no Domain", c.Raw)
	}
	wantUser(t, addr, `{"user":"alice"}`, cookies[0])
}

func TestWrongPassword(t *testing.T) {
	t.Parallel()
	addr := serve(t)
	for name, fields := range map[string]url.Values{
		"password":    {"username": {"alice"}, "password": {"rabbit"}},
		"user":        {"username": {"mallory"}, "password": {"wonderland"}},
		"no password": {"username": {"alice"}},
		"nothing":     {},
	} {
		answer, body := postForm(t, "http://"+addr+"/login", fields)
		if answer.StatusCode != http.StatusUnauthorized || !strings.Contains(body, "wrong credentials") {
			t.Errorf("%s: status %d, %q; want 401, wrong credentials", name, answer.StatusCode, body)
		}
		if len(answer.Cookies()) > 0 {
			t.Errorf("%s: cookies %q, want none", name, answer.Cookies())
		}
	}
}

func TestLogOut(t *testing.T) {
	t.Parallel()
	addr := serve(t)
	session := logIn(t, addr, "alice", "wonderland")
	answer, _ := postForm(t, "http://"+addr+"/logout", nil, session)
	if answer.StatusCode != http.StatusSeeOther {
		t.Errorf("log-out: status %d, want 303", answer.StatusCode)
	}
	wantUser(t, addr, `{"user":null}`, session) // a stolen cookie is worth nothing now
}

// A session that somebody planted in a browser does not become the user's.
func TestLogInChangesTheSession(t *testing.T) {
	t.Parallel()
	addr := serve(t)
	mallory := logIn(t, addr, "bob", "builder")
	answer, _ := postForm(t, "http://"+addr+"/login", url.Values{"username": {"alice"}, "password": {"wonderland"}}, mallory)
	for _, c := range answer.Cookies() {
		if c.Value == mallory.Value {
			t.Error("the session kept its id")
		}
		wantUser(t, addr, `{"user":"alice"}`, c)
	}
	wantUser(t, addr, `{"user":null}`, mallory)
}

func wantUser(t *testing.T, addr, want string, cookies ...*http.Cookie) {
	t.Helper()
	answer, body := get(t, "http://"+addr+"/whoami", cookies...)
	if answer.StatusCode != http.StatusOK || strings.TrimSpace(body) != want {
		t.Errorf("whoami: status %d, %s; want %s", answer.StatusCode, body, want)
	}
}

func TestPostMessage(t *testing.T) {
	t.Parallel()
	addr := serve(t)
	session := logIn(t, addr, "alice", "wonderland")
	bob := joinTerminal(t, addr, "bob", "builder", "go")
	const form, json = "application/x-www-form-urlencoded", "application/json"
	tests := []struct {
		name, contentType, body string
		cookies                 []*http.Cookie
		status                  int
		heard                   string
	}{
		{"form", form, "text=a+form", []*http.Cookie{session}, 202, "<alice> a form"},
		{"JSON", json, `{"text":"some JSON"}`, []*http.Cookie{session}, 202, "<alice> some JSON"},
		{"JSON with a charset", json + "; charset=utf-8", `{"text":"ÄÖ"}`, []*http.Cookie{session}, 202, "<alice> ÄÖ"},
		{"anonymous", form, "text=psst", nil, 403, ""},
		{"forged session", form, "text=psst", []*http.Cookie{{Name: "sessionid", Value: strings.Repeat("A", 43)}}, 403, ""},
		{"no text", form, "say=hi", []*http.Cookie{session}, 400, ""},
		{"empty text", json, `{"text":""}`, []*http.Cookie{session}, 400, ""},
		{"bad JSON", json, `{"text":`, []*http.Cookie{session}, 400, ""},
		{"other type", "text/csv", "text\nhi", []*http.Cookie{session}, 415, ""},
	}
	for _, tt := range tests {
		r := newRequest(t, "POST", "http://"+addr+"/rooms/go/messages", tt.contentType, tt.body)
		if answer, body := request(t, r, tt.cookies...); answer.StatusCode != tt.status {
			t.Errorf("%s: status %d, %q; want %d", tt.name, answer.StatusCode, body, tt.status)
		}
		if tt.heard != "" {
			bob.want(tt.heard)
		}
	}
	bob.say("the end")
	bob.want("<bob> the end") // and nothing before it
}

func TestRefusedRequests(t *testing.T) {
	t.Parallel()
	addr := serve(t)
	session := logIn(t, addr, "alice", "wonderland")
	tests := []struct {
		name, method, path string
		host               string
		header             http.Header
		status             int
	}{
		{"unknown path", "GET", "/nowhere", "", nil, 404},
		{"room without name", "POST", "/rooms//messages", "", nil, 404},
		{"path out of the root", "GET", "/../whoami", "", nil, 400},
		{"encoded NUL", "POST", "/rooms/a%00b/messages", "", nil, 400},
		{"wrong method", "GET", "/login", "", nil, 405},
		{"log-out by a link", "GET", "/logout", "", nil, 405},
		{"foreign page", "POST", "/logout", "", http.Header{"Origin": {"http://evil.example"}}, 403},
		{"foreign page of a modern browser", "POST", "/rooms/go/messages", "", http.Header{"Sec-Fetch-Site": {"cross-site"}}, 403},
		{"sandboxed page", "POST", "/login", "", http.Header{"Origin": {"null"}}, 403},
		{"rebound name", "GET", "/whoami", "evil.example", nil, 421},
	}
	for _, tt := range tests {
		r := newRequest(t, tt.method, "http://"+addr, "application/x-www-form-urlencoded", "text=hi")
		r.URL.Opaque = tt.path // sent as it is
		r.Host = tt.host
		maps.Copy(r.Header, tt.header)
		answer, body := request(t, r, session)
		if answer.StatusCode != tt.status {
			t.Errorf("%s: status %d, %q; want %d", tt.name, answer.StatusCode, body, tt.status)
		}
		if tt.status == 405 && answer.Header.Get("Allow") == "" {
			t.Errorf("%s: no Allow header", tt.name)
		}
	}
	wantUser(t, addr, `{"user":"alice"}`, session) // nobody logged her out
}

// curl logs in and says something, as the page tells its readers to.
func TestCurl(t *testing.T) {
	t.Parallel()
	curl := need(t, "curl", "curl")
	addr := serve(t)
	alice := joinTerminal(t, addr, "alice", "wonderland", "go")
	out, err := exec.CommandContext(t.Context(), curl, "-sS", "--max-time", "10",
		"-b", "", "-d", "username=carol&password=singer", "http://"+addr+"/login",
		"--next", "-sS", "--max-time", "10", "-b", "", "-w", "%{http_code}",
		"--data-urlencode", "text=hi from curl", "http://"+addr+"/rooms/go/messages").CombinedOutput()
	if err != nil || !strings.HasSuffix(string(out), "202") {
		t.Fatalf("curl wrote %q, %v; want status 202", out, err)
	}
	alice.want("<carol> hi from curl")
}
