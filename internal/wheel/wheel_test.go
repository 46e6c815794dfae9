package wheel_test

import (
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/portico-go/portico/internal/wheel"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const tick = 100 * time.Millisecond

// fired notes when it was told to expire.
type fired struct {
	timer wheel.Timer[*fired]
	at    atomic.Int64 // since begin
	times atomic.Int64
	begin time.Time
	then  func()
}

func (f *fired) Expire() {
	f.at.Store(int64(time.Since(f.begin)))
	f.times.Add(1)
	if f.then != nil {
		f.then()
	}
}

func TestFiresOnceAndNeverEarly(t *testing.T) {
	t.Parallel()
	for _, d := range []time.Duration{0, 1, tick - 1, tick, tick + 1, 20 * time.Second, 51*time.Second + 150*time.Millisecond, 10 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			w := wheel.New[*fired](tick)
			time.Sleep(37 * time.Millisecond) // so that ticks and deadlines do not line up
			f := &fired{begin: time.Now()}
			w.Set(&f.timer, d, f)
			time.Sleep(d + 3*tick)
			synctest.Wait()
			at := time.Duration(f.at.Load())
			if f.times.Load() != 1 || at < d || at > d+2*tick {
				t.Errorf("a deadline of %v fired %d times, at %v", d, f.times.Load(), at)
			}
		})
	}
}

func TestSetMovesAndStopCancels(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := wheel.New[*fired](tick)
		begin := time.Now()
		moved, stopped := &fired{begin: begin}, &fired{begin: begin}
		w.Set(&moved.timer, time.Second, moved)
		w.Set(&stopped.timer, time.Second, stopped)
		time.Sleep(500 * time.Millisecond)
		w.Set(&moved.timer, time.Minute, moved)
		w.Stop(&stopped.timer)
		w.Stop(&stopped.timer) // twice is fine
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if at := time.Duration(moved.at.Load()); moved.times.Load() != 1 || at < time.Minute {
			t.Errorf("the moved timer fired %d times, at %v", moved.times.Load(), at)
		}
		if stopped.times.Load() != 0 {
			t.Error("the stopped timer fired")
		}
	})
}

func TestExpireMaySetAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := wheel.New[*fired](tick)
		f := &fired{begin: time.Now()}
		f.then = func() {
			if f.times.Load() < 5 {
				w.Set(&f.timer, 10*time.Second, f)
			}
		}
		w.Set(&f.timer, 10*time.Second, f)
		time.Sleep(time.Hour)
		synctest.Wait()
		if at := time.Duration(f.at.Load()); f.times.Load() != 5 || at < 50*time.Second || at > 52*time.Second {
			t.Errorf("fired %d times, the last at %v", f.times.Load(), at)
		}
	})
}

// A wheel without timers has no goroutine; goleak and the bubble's end see to it.
func TestRestsAndWakesAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := wheel.New[*fired](tick)
		for range 3 {
			f := &fired{begin: time.Now()}
			w.Set(&f.timer, time.Second, f)
			time.Sleep(24 * time.Hour) // the wheel sleeps for longer than many rounds
			synctest.Wait()
			if at := time.Duration(f.at.Load()); f.times.Load() != 1 || at > time.Second+2*tick {
				t.Errorf("fired %d times, at %v", f.times.Load(), at)
			}
		}
	})
}

func TestManyTimersAtRandom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		random := rand.New(rand.NewPCG(seed, 0))
		w := wheel.New[*fired](tick)
		begin := time.Now()
		all := make([]fired, 2000)
		want := make([]time.Duration, len(all)) // 0 for stopped
		for i := range all {
			all[i].begin = begin
			want[i] = time.Duration(random.Int64N(int64(3 * time.Minute)))
			w.Set(&all[i].timer, want[i], &all[i])
		}
		for i := range all {
			switch random.IntN(3) {
			case 0:
				w.Stop(&all[i].timer)
				want[i] = -1
			case 1:
				want[i] = time.Duration(random.Int64N(int64(3 * time.Minute)))
				w.Set(&all[i].timer, want[i], &all[i])
			}
		}
		time.Sleep(4 * time.Minute)
		synctest.Wait()
		for i := range all {
			at, times := time.Duration(all[i].at.Load()), all[i].times.Load()
			if want[i] < 0 && times != 0 || want[i] >= 0 && (times != 1 || at < want[i] || at > want[i]+2*tick) {
				t.Fatalf("timer %d, due at %v, fired %d times, at %v", i, want[i], times, at)
			}
		}
	})
}

// nothing is an owner that does nothing.
type nothing struct{}

func (nothing) Expire() {}

func BenchmarkSet(b *testing.B) {
	w := wheel.New[nothing](tick)
	timers := make([]wheel.Timer[nothing], 1024)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		w.Set(&timers[i%len(timers)], 20*time.Second, nothing{})
	}
	for i := range timers {
		w.Stop(&timers[i])
	}
}
