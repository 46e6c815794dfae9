//go:build linux

package main

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A scenario is one comparison.
type scenario struct {
	name       string
	what       string
	load       []string // arguments of the load generator
	candidates []candidate
	metrics    []metric // the first is the one that ratios are made of
	bars       []bar
	once       bool          // one round is enough
	extra      bool          // only if it is asked for: it does not work everywhere
	redis      bool          // the candidates need a redis-server
	duration   time.Duration // of a run; 0 is as the user says
}

// A candidate is a server in a scenario. The first of a scenario is portico.
type candidate struct {
	name  string
	bin   string
	args  []string
	load  []string // further arguments of the load generator
	login string   // a path to get a cookie from first
	cores int      // of the server; 0 is one
	alone bool     // no server, but a program that measures itself
}

func portico(load ...string) candidate {
	return candidate{name: "portico", bin: "target", load: load}
}

// loggedIn is portico with a session cookie.
func loggedIn(load ...string) candidate {
	c := portico(load...)
	c.login = "/login?user=alice"
	return c
}

func (c candidate) called(name string) candidate {
	c.name = name
	return c
}

func (c candidate) onCores(n int) candidate {
	c.cores = n
	return c
}

// layer is the channel layer, or what it is compared with, measured by itself.
func layer(name, mode string, args ...string) candidate {
	return candidate{name: name, bin: "layer", args: append([]string{"-mode", mode}, args...), alone: true}
}

// peers are candidates that are called like their folders.
func peers(names ...string) []candidate {
	var list []candidate
	for _, name := range names {
		list = append(list, candidate{name: name, bin: name})
	}
	return list
}

// A scale says how large the scenarios are.
type scale struct {
	idle, members, stalled int
	silence, sending       time.Duration
}

var (
	full  = scale{idle: 15_000, members: 5_000, stalled: 10_000, silence: time.Minute, sending: 5 * time.Second}
	quick = scale{idle: 3_000, members: 1_000, stalled: 2_000, silence: 5 * time.Second, sending: 500 * time.Millisecond}
)

func scenarios(s scale) []scenario {
	return []scenario{
		hello("hello", "without a session cookie", portico(), ""),
		hello("hello-session", "with a session cookie (of others: one that says nothing)", loggedIn(), "sessionid="+strings.Repeat("x", 43)),
		echo(),
		echoDeep(),
		floor(),
		connect(),
		fanout(s),
		fanoutCores(s),
		stall(s),
		idle(s),
		enqueue(s),
		publish(),
		nodes(s),
	}
}

// hello has all candidates read the same bytes: those without sessions get a cookie too.
func hello(name, what string, portico candidate, cookie string) scenario {
	others := peers("fasthttp", "fiber", "nethttp", "chi")
	for i := range others {
		others[i].load = []string{"-cookie", cookie}
	}
	return scenario{
		name:       name,
		what:       "GET /hello behind ProtocolTypeRouter, auth.Stack and 200 routes, " + what,
		load:       []string{"-mode", "http", "-path", "/hello", "-conns", "64"},
		candidates: append([]candidate{portico}, others...),
		metrics:    []metric{cpu, rate, p50, p99},
		bars:       []bar{{metric: cpu, against: []string{"fasthttp"}, most: 1.10}},
	}
}

func echo() scenario {
	return scenario{
		name:       "echo",
		what:       "64 bytes there and back, 200 connections, 1 message in flight on each",
		load:       []string{"-mode", "echo", "-path", "/ws", "-conns", "200", "-size", "64"},
		candidates: append([]candidate{portico()}, peers("gws", "gorilla", "fasthttpws", "gobwas", "melody", "coder", "kernel")...),
		metrics:    []metric{cpu, rate, p50, p99},
		bars: []bar{
			{metric: cpu, against: []string{"gws"}, most: 0.80},
			{metric: cpu, against: []string{"gorilla"}, most: 0.75},
			{metric: cpu, against: []string{"kernel"}, most: 1.20},
			{metric: p99, against: []string{"gws", "gorilla"}, most: 1},
		},
	}
}

func echoDeep() scenario {
	return scenario{
		name:       "echo-16",
		what:       "64 bytes there and back, 200 connections, 16 messages in flight on each",
		load:       []string{"-mode", "echo", "-path", "/ws", "-conns", "200", "-size", "64", "-depth", "16"},
		candidates: append([]candidate{portico()}, peers("gws", "gorilla", "fasthttpws", "gobwas", "melody", "coder", "kernel")...),
		metrics:    []metric{cpu, rate, p50, p99},
		bars:       []bar{{metric: cpu, against: []string{"gws"}, most: 0.15}},
	}
}

func floor() scenario {
	return scenario{
		name:       "floor",
		what:       "echo, beside what it costs without any library: with epoll, and with io_uring",
		load:       []string{"-mode", "echo", "-path", "/ws", "-conns", "200", "-size", "64"},
		candidates: append(append([]candidate{portico()}, peers("kernel")...), candidate{name: "uring", bin: "kernel", args: []string{"-uring"}}),
		metrics:    []metric{cpu, rate, p50, p99},
		extra:      true,
	}
}

func connect() scenario {
	return scenario{
		name:       "connect",
		what:       "connect, upgrade (portico: session lookup and routing), close handshake; 16 at a time",
		load:       []string{"-mode", "connect", "-path", "/ws", "-conns", "16", "-size", "0"},
		candidates: append([]candidate{loggedIn()}, peers("gorilla", "gws", "fasthttpws", "gobwas")...),
		metrics:    []metric{cpu, rate, p50, p99},
		bars:       []bar{{metric: cpu, against: []string{"gorilla"}, most: 0.90}},
	}
}

func fanout(s scale) scenario {
	return scenario{
		name:       "fanout",
		what:       fmt.Sprintf("128 bytes to %d members, all of them reading; per delivery", s.members),
		load:       []string{"-mode", "fanout", "-path", "/bc", "-conns", strconv.Itoa(s.members), "-size", "128"},
		candidates: append([]candidate{portico()}, peers("gobwas", "gorilla", "gws", "melody")...),
		metrics:    []metric{cpu, rate, p50, p99},
		bars:       []bar{{metric: cpu, against: []string{"gobwas"}, most: 1.05}},
	}
}

func fanoutCores(s scale) scenario {
	return scenario{
		name:       "fanout-cores",
		what:       fmt.Sprintf("128 bytes to %d members that read only afterwards, from the first to the last write", s.members),
		load:       []string{"-mode", "span", "-path", "/bc", "-conns", strconv.Itoa(s.members), "-size", "128"},
		candidates: []candidate{portico().onCores(2).called("portico, 2 cores"), portico().called("portico, 1 core")},
		metrics:    []metric{span, cpu},
		bars:       []bar{{metric: span, against: []string{"portico, 1 core"}, most: 0.7}},
	}
}

func stall(s scale) scenario {
	n := strconv.Itoa(s.stalled)
	return scenario{
		name: "stall",
		what: "64 bytes there and back, 100 connections, beside " + n + " that stall in the middle of a frame",
		load: []string{"-mode", "echo", "-path", "/ws", "-conns", "100", "-size", "64"},
		candidates: []candidate{
			portico("-stalled", n).called("portico, " + n + " stalled"),
			portico().called("portico, none stalled"),
		},
		metrics:  []metric{p99, p50, cpu, rate},
		bars:     []bar{{metric: p99, against: []string{"portico, none stalled"}, most: 1.2}},
		duration: s.sending, // long enough for a collection not to be in one measurement and not in the next
	}
}

func idle(s scale) scenario {
	const stats = "/debug/stats"
	member := loggedIn("-path", "/ws/lobby", "-stats", stats)
	member.args = []string{"-stats", stats}
	return scenario{
		name: "idle",
		what: fmt.Sprintf("%d connections, 1 %% of them talking once a second, after %s; portico: session, user, route and group, pings on",
			s.idle, s.silence),
		load:       []string{"-mode", "idle", "-path", "/ws", "-conns", strconv.Itoa(s.idle), "-size", "64"},
		candidates: append([]candidate{member}, peers("gws", "gorilla")...),
		metrics:    []metric{resident, heap, goroutines, threads, p99},
		bars: []bar{
			{metric: resident, most: 1280},
			{metric: goroutines, most: 0.01},
		},
		once:     true,
		duration: s.silence,
	}
}

func enqueue(s scale) scenario {
	members := strconv.Itoa(2 * s.members)
	return scenario{
		name:       "layer-enqueue",
		what:       "one message into the queues of " + members + " members, in memory; per member",
		candidates: []candidate{layer("portico", "hub", "-members", members), layer("channels", "channels", "-members", members)},
		metrics:    []metric{enqueued},
		bars:       []bar{{metric: enqueued, against: []string{"channels"}, most: 3}},
	}
}

func publish() scenario {
	return scenario{
		name:       "layer-publish",
		what:       "group sends of 128 bytes through Redis, beside PUBLISH of the same bytes by the client library alone",
		candidates: []candidate{layer("portico", "redis-hub"), layer("rueidis", "redis-bare")},
		metrics:    []metric{cpu, rate, p50, p99},
		bars:       []bar{{metric: cpu, against: []string{"rueidis"}, most: 1.25}},
		redis:      true,
	}
}

func nodes(s scale) scenario {
	many := strconv.Itoa(2 * s.members)
	return scenario{
		name: "layer-nodes",
		what: "group sends to " + many + " members on three nodes, beside 10 members: what the redis-server does per send",
		candidates: []candidate{
			layer("portico, "+many+" members", "nodes", "-members", many),
			layer("portico, 10 members", "nodes", "-members", "10"),
		},
		metrics: []metric{cpu, commands, output, p50},
		bars: []bar{ // its time has no bar: what the nodes do meanwhile takes its caches away
			{metric: commands, against: []string{"portico, 10 members"}, most: 1.01},
			{metric: output, against: []string{"portico, 10 members"}, most: 1.01},
		},
		redis:    true,
		duration: s.sending, // few sends, and the server's background work is among them
	}
}

// with returns the scenario with another build of portico as a candidate, unless file is "".
func (s scenario) with(file string) scenario {
	before := s.candidates[0]
	if file == "" || before.alone {
		return s
	}
	before.name, before.bin = "before", file
	s.candidates = slices.Insert(slices.Clone(s.candidates), 1, before)
	return s
}

// without returns the scenario with those candidates only that match, besides
// portico, and with the bars for which all candidates are there.
func (s scenario) without(keep *regexp.Regexp) scenario {
	gone := map[string]bool{}
	kept := s.candidates[:1:1]
	for _, c := range s.candidates[1:] {
		if keep.MatchString(c.name) {
			kept = append(kept, c)
		} else {
			gone[c.name] = true
		}
	}
	s.candidates = kept
	s.bars = slices.DeleteFunc(slices.Clone(s.bars), func(b bar) bool {
		return slices.ContainsFunc(b.against, func(name string) bool { return gone[name] })
	})
	return s
}
