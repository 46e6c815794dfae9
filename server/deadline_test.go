package server_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-go/portico/server"
)

// However often a deadline is extended, it is never nearer than the limit and never
// further than an eighth more, and it is set a few times only.
func TestDeadlinesAreSetSeldom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const limit = 8 * time.Second
		var at time.Time
		sets := 0
		d := server.NewDeadline(func(t time.Time) error { at, sets = t, sets+1; return nil })
		for range 1000 {
			now := time.Now()
			if err := d.Extend(now, limit); err != nil {
				t.Fatal(err)
			}
			if left := at.Sub(now); left < limit || left > limit+limit/8 {
				t.Fatalf("%v are left of %v", left, limit)
			}
			time.Sleep(10 * time.Millisecond)
		}
		if sets < 9 || sets > 11 { // 10 s in steps of a second
			t.Errorf("it was set %d times", sets)
		}

		later := time.Now().Add(time.Hour)
		if err := d.Lend(later); err != nil || !at.Equal(later) {
			t.Errorf("what somebody else wanted is %v, %v", at, err)
		}
		if err := d.Extend(time.Now(), limit); err != nil || !at.Equal(later) {
			t.Errorf("it was moved though somebody else saw to it: %v, %v", at, err)
		}
		if err := d.Lend(time.Time{}); err != nil || !at.IsZero() {
			t.Errorf("it was not taken away: %v, %v", at, err)
		}
		if err := d.Extend(time.Now(), limit); err != nil || time.Until(at) < limit {
			t.Errorf("it was not set anew: %v, %v", at, err)
		}
	})
}
