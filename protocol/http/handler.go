package http

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"net"
	nethttp "net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/portico-go/portico/protocol"
)

// Handler returns app as a handler for any net/http server, for plain HTTP.
// Config.Context and Prepare are not used: the parent of a request's context is the
// request's own, and a client that hangs up cancels it with protocol.ErrReset. A
// prefix that nethttp.StripPrefix took away is not seen; give RootPath instead.
func Handler(app protocol.Application, cfg Config) nethttp.Handler {
	return &netHandler{site{app: app, cfg: cfg.withDefaults()}}
}

type netHandler struct{ site site }

// ServeHTTP implements nethttp.Handler.
func (h *netHandler) ServeHTTP(w nethttp.ResponseWriter, r *nethttp.Request) {
	sink := &netSink{}
	x := &exchange{site: &h.site, sink: sink}
	req := h.site.requests.get()
	err := fillNetRequest(req, r)
	h.site.complete(req)
	if r.ContentLength != 0 {
		x.body.rest = &source{r: r.Body, length: r.ContentLength}
	}
	opened := x.begin(context.WithoutCancel(r.Context()), req, err)
	h.site.requests.put(req)
	if !opened {
		if s := x.settled(); s == nil {
			sink.writeTo(w)
		} else {
			s.writeNet(w)
		}
		return
	}
	defer context.AfterFunc(r.Context(), func() { x.life.Cancel(protocol.ErrReset) })()
	p, s := x.policy()
	if s == nil {
		x.serveBuffered(p)
		sink.writeTo(w)
		return
	}
	s.writeDeadline = nethttp.NewResponseController(w).SetWriteDeadline
	go s.run(p)
	s.writeNet(w)
}

// writeNet writes the answer on net/http's goroutine.
func (s *stream) writeNet(w nethttp.ResponseWriter) {
	rc := nethttp.NewResponseController(w)
	if !s.x.body.done() {
		_ = rc.EnableFullDuplex() // HTTP/2 always is
	}
	head, whole, isWhole := s.await()
	if head == nil {
		s.finish(protocol.ErrReset)
		panic(nethttp.ErrAbortHandler)
	}
	setNetFields(w.Header(), head)
	w.WriteHeader(head.Status)
	if isWhole {
		_, err := w.Write(whole)
		s.finish(ignoreNoBody(err))
		return
	}
	if err := rc.Flush(); err != nil {
		s.finish(s.writeError(err))
		return
	}
	_, err := s.WriteTo(flushWriter{w, rc})
	s.finish(ignoreNoBody(err))
	if err != nil {
		panic(nethttp.ErrAbortHandler) // or net/http would end the answer properly
	}
}

func ignoreNoBody(err error) error {
	if errors.Is(err, nethttp.ErrBodyNotAllowed) {
		return nil
	}
	return err
}

// A flushWriter flushes as stream wants it.
type flushWriter struct {
	nethttp.ResponseWriter
	rc *nethttp.ResponseController
}

// Flush hands what was written to the network.
func (f flushWriter) Flush() error { return f.rc.Flush() }

// A netSink keeps the answer of a buffered handler until it is whole.
type netSink struct {
	head protocol.Head
	body bytes.Buffer
}

func (s *netSink) start(head *protocol.Head, _ bool) {
	s.head = protocol.Head{Status: head.Status, Header: slices.Clone(head.Header)}
	s.body.Reset()
}

func (s *netSink) write(p []byte) { s.body.Write(p) }

func (s *netSink) writeTo(w nethttp.ResponseWriter) {
	setNetFields(w.Header(), &s.head)
	if s.body.Len() > 0 {
		w.Header().Del("Content-Length") // net/http knows better
	}
	w.WriteHeader(s.head.Status)
	_, _ = w.Write(s.body.Bytes()) // a client that is gone is no news
}

// setNetFields sets header fields, but for those that frame the message. Like
// fasthttp it calls a body that nobody named plain text.
func setNetFields(h nethttp.Header, head *protocol.Head) {
	for _, f := range head.Header {
		if !is(f.Name, "Transfer-Encoding") && !is(f.Name, "Trailer") {
			h.Add(f.Name, f.Value)
		}
	}
	if h.Get("Content-Type") == "" && !bodyless(head.Status) {
		h.Set("Content-Type", "text/plain; charset=utf-8")
	}
}

// fillNetRequest describes a request of net/http. The order of its header fields is
// lost; they come sorted.
func fillNetRequest(req *protocol.Request, r *nethttp.Request) error {
	req.Protocol, req.Method, req.Scheme, req.Version = "http", r.Method, "http", "1.1"
	if r.ProtoMajor != 1 || r.ProtoMinor != 1 {
		req.Version = strings.TrimSuffix(strings.TrimPrefix(r.Proto, "HTTP/"), ".0")
		if r.ProtoMajor == 1 {
			req.Version = "1.0"
		}
	}
	if r.TLS != nil {
		req.Scheme, req.TLS = "https", r.TLS
	}
	if ap, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		req.Client = netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	if addr, ok := r.Context().Value(nethttp.LocalAddrContextKey).(net.Addr); ok {
		req.Server = addrPort(addr)
	}
	fields := protocol.Fields{{Name: "Host", Value: r.Host}}
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		for _, value := range r.Header[name] {
			fields.Add(name, value)
		}
	}
	if r.ContentLength > 0 && r.Header.Get("Content-Length") == "" {
		fields.Add("Content-Length", strconv.FormatInt(r.ContentLength, 10))
	}
	var err error
	if req.Headers, err = protocol.NewHeaders(fields); err != nil {
		return badRequest(strings.TrimPrefix(err.Error(), "protocol: "))
	}
	switch {
	case r.Method == nethttp.MethodConnect:
		return refuseAndClose(nethttp.StatusNotImplemented, "this server is no proxy")
	case r.RequestURI == "*", r.RequestURI == "":
		return nil
	}
	_, req.Target, err = splitAbsolute(r.RequestURI)
	return err
}
