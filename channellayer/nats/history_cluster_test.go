package nats_test

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/layertest"
	"github.com/portico-go/portico/channellayer/nats"
	"github.com/portico-go/portico/channellayer/workqueue"
	"github.com/portico-go/portico/channellayer/workqueue/workqueuetest"
)

// launchCluster starts three servers with JetStream that are one cluster.
func launchCluster(t *testing.T) (servers []*natsServer, all string) {
	t.Helper()
	routes := make([]*url.URL, 3)
	listeners := make([]net.Listener, 3)
	for i := range routes {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listeners[i] = ln
		routes[i] = &url.URL{Scheme: "nats", Host: ln.Addr().String()}
	}
	urls := make([]string, 3)
	for i := range routes {
		o := jetStream(t)
		o.SyncAlways = false
		o.ServerName, o.Routes = fmt.Sprint("s", i), routes
		o.Cluster = server.ClusterOpts{Name: "c", Host: "127.0.0.1", Port: listeners[i].Addr().(*net.TCPAddr).Port}
		listeners[i].Close()
		servers = append(servers, launch(t, o))
		urls[i] = servers[i].url()
	}
	eventually(t, "the cluster has a leader", func() bool { return ready(servers) })
	return servers, strings.Join(urls, ",")
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(patience)
	for !holds() {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-deadline:
			t.Fatalf("after %v still not: %s", patience, what)
		}
	}
}

// leads reports whether a stream has a leader.
func leads(servers []*natsServer, stream string) bool {
	return slices.ContainsFunc(servers, func(s *natsServer) bool { return s.running.JetStreamIsStreamLeader("$G", stream) })
}

// ready reports whether a cluster can make streams on three servers.
func ready(servers []*natsServer) bool {
	for _, s := range servers {
		if s.running.JetStreamIsLeader() && len(s.running.JetStreamClusterPeers()) == len(servers) {
			return true
		}
	}
	return false
}

// historyCluster is the contract, where each entry is on three servers, of which all go away and come back.
func historyCluster(t *testing.T) {
	t.Parallel()
	servers, all := launchCluster(t)
	layertest.History(t, layertest.Backend{
		Broker: func(t *testing.T) channellayer.Broker {
			return newBroker(t, nats.Options{URL: all, History: nats.StreamOptions{Replicas: 3}})
		},
		Stop: func(*testing.T) {
			var all sync.WaitGroup
			for _, s := range servers { // at once, or nodes are up again on the next one
				all.Go(s.stop)
			}
			all.Wait()
		},
		Start: func(*testing.T) {
			for _, s := range servers {
				s.start()
			}
			eventually(t, "the stream has a leader", func() bool { return leads(servers, "portico~history") })
		},
		Patience: patience,
		Durable:  true,
	})
}

// One server of three after the other goes away and comes back, under a thousand messages a second. Nothing that was acknowledged is missing anywhere, or comes twice.
func TestHistoryClusterLosesServers(t *testing.T) {
	t.Parallel()
	servers, all := launchCluster(t)
	next := 0
	layertest.Crashes(t, layertest.Backend{
		Broker: func(t *testing.T) channellayer.Broker {
			return newBroker(t, nats.Options{URL: all, History: nats.StreamOptions{Replicas: 3}})
		},
		Stop:     func(*testing.T) { servers[next].stop() },
		Start:    func(*testing.T) { servers[next].start(); next = (next + 1) % len(servers) },
		Patience: patience,
		Durable:  true,
	}, 4*time.Second)
}

// jobsCluster is that of jobs.
func jobsCluster(t *testing.T) {
	t.Parallel()
	_, all := launchCluster(t)
	workqueuetest.Run(t, workqueuetest.Backend{
		Store: func(t *testing.T, space string, l workqueue.Limits) workqueue.Store {
			return newJobStore(t, nats.JobStoreOptions{URL: all, Prefix: space + ".", Limits: l, Stream: nats.StreamOptions{Replicas: 3}})
		},
		Patience: patience,
	})
}
