package workqueue_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/workqueue"
)

// The names of these tests are those of the cases that a layer with general channels is tested with elsewhere. They run in virtual time; the suite in
// workqueuetest holds every store to the same, and to more.

func enqueue(t *testing.T, q *workqueue.Queue, channel string, n int, options ...workqueue.Option) {
	t.Helper()
	if _, err := q.Enqueue(t.Context(), channel, channellayer.Event{Type: "number", Value: n}, options...); err != nil {
		t.Fatal(err)
	}
}

// took does the next jobs, and expects these numbers.
func took(t *testing.T, q *workqueue.Queue, channel string, numbers ...int) {
	t.Helper()
	for _, want := range numbers {
		leases, err := q.Take(t.Context(), channel, 1)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := workqueue.Value[int](leases[0].Job); n != want || err != nil {
			t.Errorf("took %d, %v; expected %d", n, err, want)
		}
		if err := q.Settle(t.Context(), leases[0], workqueue.Outcome{}); err != nil {
			t.Error(err)
		}
	}
}

// nothing expects that no job comes for a minute.
func nothing(t *testing.T, q *workqueue.Queue, channel string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if leases, err := q.Take(ctx, channel, 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("took %d jobs, %v; expected none", len(leases), err)
	}
}

func TestK1_K2_AJobGoesToWhoeverTakesIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, workqueue.Limits{})
		for n := range 2 {
			enqueue(t, q, "c", n)
			done := make(chan struct{})
			go func() {
				defer close(done)
				took(t, q, "c", n)
			}()
			<-done
		}
		nothing(t, q, "c")
	})
}

func TestK3_AFullChannelIsAnErrorOfTheProducer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, workqueue.Limits{Capacity: 3})
		for n := range 3 {
			enqueue(t, q, "c", n)
		}
		if _, err := q.Enqueue(t.Context(), "c", channellayer.Event{Type: "number", Value: 3}); !errors.Is(err, workqueue.ErrFull) || !strings.Contains(err.Error(), `"c"`) {
			t.Errorf("the fourth of three: %v", err)
		}
		took(t, q, "c", 0)
		enqueue(t, q, "c", 4)
		took(t, q, "c", 1, 2, 4)
	})
}

func TestK6_Order(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, workqueue.Limits{})
		for n := range 3 {
			enqueue(t, q, "c", n)
		}
		took(t, q, "c", 0, 1, 2)
	})
}

func TestK7_BadNamesAreErrors(t *testing.T) {
	t.Parallel()
	q := newQueue(t, workqueue.Limits{})
	_, put := q.Enqueue(t.Context(), "=+135!\x00", channellayer.Event{Type: "number"})
	_, taken := q.Take(t.Context(), "=+135!\x00", 1)
	for _, err := range []error{put, taken} {
		if !errors.Is(err, channellayer.ErrInvalidName) {
			t.Errorf("%v, expected ErrInvalidName", err)
		}
	}
	enqueue(t, q, "=+135!", 1) // no reason why not
}

func TestK17_CancellingTakeLosesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, workqueue.Limits{})
		for n := range 50 {
			ctx, cancel := context.WithCancel(t.Context())
			var leases []*workqueue.Lease
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				leases, _ = q.Take(ctx, "c", 1)
			}()
			if n%2 == 0 {
				synctest.Wait()
			}
			go cancel()
			enqueue(t, q, "c", n)
			<-ended
			if leases == nil {
				took(t, q, "c", n)
			} else if got, _ := workqueue.Value[int](leases[0].Job); got != n {
				t.Errorf("took %d, expected %d", got, n)
			}
		}
	})
}

func TestK19_K20_Expiry(t *testing.T) {
	t.Parallel()
	for delay, expired := range map[time.Duration]bool{2 * time.Second: true, time.Second: false} {
		synctest.Test(t, func(t *testing.T) {
			q := newQueue(t, workqueue.Limits{})
			enqueue(t, q, "c", 1, workqueue.Expiry(3*time.Second))
			time.Sleep(delay)
			enqueue(t, q, "c", 2, workqueue.Expiry(3*time.Second))
			time.Sleep(delay)
			leases, err := q.Take(t.Context(), "c", 2)
			if err != nil || len(leases) != 2 {
				t.Fatal(len(leases), err)
			}
			for i, want := range []bool{expired, false} {
				if got := leases[i].Job.Expires.Before(time.Now()); got != want {
					t.Errorf("with a delay of %v job %d has expired: %v, expected %v", delay, i, got, want)
				}
			}
		})
	}
}

func TestK22_ChannelsDoNotExpireEachOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, workqueue.Limits{})
		enqueue(t, q, "a", 1, workqueue.Expiry(time.Second))
		enqueue(t, q, "b", 2)
		time.Sleep(time.Hour)
		if leases, err := q.Take(t.Context(), "a", 1); err != nil || !leases[0].Job.Expires.Before(time.Now()) {
			t.Errorf("%v, expected a job that has expired", err)
		}
		took(t, q, "b", 2)
	})
}
