package main

import (
	"context"
	"fmt"
	"runtime"

	"github.com/portico-go/portico/consumer"
	"github.com/portico-go/portico/router"
)

// statsRoute returns the route at which the process tells how many goroutines and
// how many bytes on its heap it has. With ?collect=1 it collects garbage first, so
// that only what lives is counted.
func statsRoute(path string) []router.Route {
	if path == "" {
		return nil
	}
	return []router.Route{router.Path("GET "+path, consumer.HTTPFunc(stats))}
}

func stats(_ context.Context, x *consumer.Exchange) error {
	goroutines := runtime.NumGoroutine()
	if x.Scope().Query("collect") != "" {
		runtime.GC()
		runtime.GC() // pools keep what they hold for one collection
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	body := fmt.Appendf(nil, `{"goroutines":%d,"heap":%d}`, goroutines, m.HeapAlloc)
	return x.Respond(200, "application/json", body)
}
