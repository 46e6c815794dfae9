// Worker makes thumbnails behind a website: a request enqueues a job and is answered at once, a worker does the job, and whoever listens on the WebSocket is told.
//
//	go run ./examples/worker
//	curl -d '{"id":"cat","width":4000,"height":3000}' http://127.0.0.1:8000/photos
//
// The website and any number of workers can be processes of their own, on one Redis server:
//
//	go run ./examples/worker -role site -redis redis://127.0.0.1:6379
//	go run ./examples/worker -role worker -redis redis://127.0.0.1:6379
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/redis"
	"github.com/portico-go/portico/channellayer/workqueue"
	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/router"
	"github.com/portico-go/portico/server"
	"github.com/portico-go/portico/worker"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8000", "listen on `HOST:PORT`")
	role := flag.String("role", "both", "be the `site`, a worker, or both")
	url := flag.String("redis", "", "share jobs and groups with other processes by the server at `URL`, redis://…")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *addr, *role, *url); err != nil {
		fmt.Fprintln(os.Stderr, "worker:", err)
		os.Exit(1)
	}
}

// run plays a role until ctx is done, and then drains.
func run(ctx context.Context, addr, role, url string) (err error) {
	if role != "both" && role != "site" && role != "worker" {
		return fmt.Errorf("the role is %q, expected both, site or worker", role)
	}
	hub, queue, err := open(url)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, queue.Close(), hub.Close()) }()
	app := photos(hub, queue)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	parts := 0
	ended := make(chan error)
	begin := func(part func() error) {
		parts++
		go func() { ended <- part() }()
	}
	if role != "site" {
		policies := map[string]worker.Policy{"thumbnails": {Concurrency: 4, Attempts: 5, Timeout: time.Minute}}
		begin(func() error { return worker.New(app, worker.Config{Queue: queue, Channels: policies}).Run(ctx) })
	}
	if role != "worker" {
		ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
		if err != nil {
			return err
		}
		fmt.Printf("POST photos to http://%s/photos, and listen on ws://%s/ws/photos\n", ln.Addr(), ln.Addr())
		begin(func() error { return server.New(app, server.Config{}).Serve(ctx, server.Listener{Net: ln}) })
	}
	for range parts { // the first that ends takes the other with it
		err = errors.Join(err, <-ended)
		stop()
	}
	return err
}

// open returns the layer and the queue of this process, which others share if there is a URL.
func open(url string) (*channellayer.Hub, *workqueue.Queue, error) {
	var layer channellayer.Config
	var jobs workqueue.Config
	if url != "" {
		broker, err := redis.Open(url)
		if err != nil {
			return nil, nil, err
		}
		store, err := redis.OpenJobStore(url, workqueue.Limits{Lease: 10 * time.Second})
		if err != nil {
			return nil, nil, err
		}
		layer.Broker, jobs.Store = broker, store
	}
	hub, err := channellayer.New(layer)
	if err != nil {
		return nil, nil, err
	}
	queue, err := workqueue.New(jobs)
	return hub, queue, err
}

// photos is one application for the website and for the worker.
func photos(hub *channellayer.Hub, queue *workqueue.Queue) protocol.Application {
	return router.ProtocolTypeRouter{
		"http":      router.MustURLRouter(router.Path("POST /photos", upload(queue))),
		"websocket": router.MustURLRouter(router.Path("/ws/photos", listeners(hub))),
		"channel":   router.ChannelNameRouter{"thumbnails": thumbnails(hub)},
	}
}
