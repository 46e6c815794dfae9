package presence_test

import (
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/presence"
)

// Whatever another node says, this one goes on, and its own presences are what they are.
func FuzzForeignWords(f *testing.F) {
	for kind, value := range map[string]string{
		"presence.beat":    `{"node":"X","age":99999999,"hello":true,"lost":["Y"]}`,
		"presence.bye":     `{"node":"X"}`,
		"presence.delta":   `{"node":"X","from":0,"to":1,"set":[{"id":1,"key":"k","meta":{}}],"left":[{"id":2}],"lost":[{"id":1}]}`,
		"presence.state":   `{"node":"X","clock":3,"part":0,"parts":2,"set":[{"id":1,"key":"k"},{"id":1,"key":"l"}]}`,
		"presence.summary": `{"node":"X","clock":18446744073709551615,"ask":true,"known":{"X":1}}`,
	} {
		f.Add(kind, value, `{"node":"X","clock":3,"part":1,"parts":2}`)
		f.Add(kind, value, value)
		f.Add(kind, `{"node":"","clock":1}`, `{"node":"X","clock":3,"part":-1,"parts":-1,"set":[{}]}`)
	}
	f.Fuzz(func(t *testing.T, kind, first, second string) {
		if channellayer.CheckName(kind) != nil || !json.Valid([]byte(first)) || !json.Valid([]byte(second)) {
			return
		}
		synctest.Test(t, func(t *testing.T) {
			n := start(t, nil, presence.Config{Grace: time.Second})
			n.track(nil, "alice")
			w := n.watch()
			for _, value := range []string{first, second} {
				for _, kind := range []string{kind, "presence.state"} {
					for _, group := range []string{"presence", "presence:g"} {
						if _, err := n.hub.GroupSend(t.Context(), group, channellayer.Event{Type: kind, Value: json.RawMessage(value)}); err != nil {
							t.Fatal(err)
						}
					}
				}
				pass(time.Second)
			}
			w.diffs()
			n.track(nil, "bob")
			for range 3 { // until the leases end
				pass(10 * time.Second)
				w.diffs()
			}
			w.agree(n)
			n.expect("alice", "bob")
		})
	})
}
