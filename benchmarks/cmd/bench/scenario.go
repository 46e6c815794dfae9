package main

// A scenario is one comparison.
type scenario struct {
	name       string
	what       string
	load       []string // arguments of the load generator
	candidates []candidate
	bar        float64 // the most that portico may cost, as a part of candidates[1]
}

// A candidate is a server in a scenario. The first of a scenario is portico.
type candidate struct {
	name  string
	bin   string
	args  []string
	load  []string // further arguments of the load generator
	login string   // a path to get a cookie from first
}

func scenarios() []scenario {
	portico := candidate{name: "portico", bin: "target"}
	withCookie := candidate{name: "portico", bin: "target", login: "/login?user=alice"}
	fasthttp := candidate{name: "fasthttp", bin: "fasthttp"}
	hello := []string{"-mode", "http", "-path", "/hello", "-conns", "64"}
	return []scenario{
		{
			name: "hello", bar: 1.15,
			what:       "GET /hello behind ProtocolTypeRouter, auth.Stack and 200 routes, no session cookie",
			load:       hello,
			candidates: []candidate{portico, fasthttp},
		},
		{
			name: "hello-session", bar: 1.15,
			what:       "GET /hello behind ProtocolTypeRouter, auth.Stack and 200 routes, with a session cookie",
			load:       hello,
			candidates: []candidate{withCookie, fasthttp},
		},
	}
}
