package main

import (
	"context"
	"slices"
	"testing"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"github.com/portico-go/portico/channellayer/presence"
)

// nextPeople returns what a client that watches is told next: everybody, or who came and who left.
func nextPeople(t *testing.T, ws *websocket.Conn) (all []string, d presence.Diff) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var told struct {
		Room   string              `json:"room"`
		People []presence.Presence `json:"people"`
		Change presence.Diff       `json:"change"`
	}
	if err := wsjson.Read(ctx, ws, &told); err != nil || told.Room != "go" {
		t.Fatal(told, err)
	}
	return names(told.People), told.Change
}

func names(list []presence.Presence) []string {
	var all []string
	for _, p := range list {
		all = append(all, p.Key+string(p.Meta))
	}
	return all
}

// Who asks is told who is in the room, whichever way they came in, and then who comes and goes; who comes back soon was never away.
func TestPeople(t *testing.T) {
	t.Parallel()
	addr := serve(t)
	session := logIn(t, addr, "alice", "wonderland")
	alice := joinSocket(t, addr, "go", session)
	if err := wsjson.Write(t.Context(), alice, say{Watch: true}); err != nil {
		t.Fatal(err)
	}
	want := []string{`alice{"via":"websocket"}`}
	if all, _ := nextPeople(t, alice); !slices.Equal(all, want) {
		t.Errorf("%v are there, expected %v", all, want)
	}
	bob := joinTerminal(t, addr, "bob", "builder", "go")
	want = []string{`bob{"via":"chat"}`}
	if _, d := nextPeople(t, alice); !slices.Equal(names(d.Joined), want) || d.Left != nil {
		t.Errorf("%+v, expected that %v comes", d, want)
	}
	joinSocket(t, addr, "elsewhere", session)
	second := joinSocket(t, addr, "go", session)
	_, d := nextPeople(t, alice)
	if got := names(d.Joined); !slices.Equal(got, []string{`alice{"via":"websocket"}`}) {
		t.Errorf("%+v, expected that alice comes a second time", d)
	}
	second.CloseNow() //nolint:errcheck // it is to be gone
	third := joinSocket(t, addr, "go", session)
	bob.conn.Close()
	if _, d := nextPeople(t, alice); !slices.Equal(names(d.Left), want) {
		t.Errorf("%+v, expected that %v leaves, and alice stays", d, want)
	}
	tell(t, third, "hi")
	wantJSON(t, alice, `{"room":"go","from":"alice","via":"websocket","text":"hi"}`)
}

// The page shows everybody who is in its room once, and goes on doing so.
func TestPeopleOnPage(t *testing.T) {
	addr := serve(t)
	b := openBrowser(t, "http://"+addr+"/")
	b.logIn("alice", "wonderland")
	b.see(`people.textContent === "alice"`)
	bob := joinTerminal(t, addr, "bob", "builder", "go")
	joinSocket(t, addr, "go", logIn(t, addr, "bob", "builder"))
	b.see(`people.textContent === "alicebob" && people.lastChild.title === "chat, websocket"`)
	bob.conn.Close()
	b.see(`people.lastChild.title === "websocket"`)
	b.wantQuiet()
}
