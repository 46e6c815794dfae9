package engine

import (
	"net"
	"time"

	"github.com/portico-go/portico/internal/mailbox"
)

// longAgo is a deadline that ends a Read which waits.
var longAgo = time.Unix(1, 0)

// A piped is a socket that can only wait: TLS, a connection in memory, any other
// net.Conn. It has a goroutine that reads, and one for each write.
type piped struct {
	s     *Stream
	conn  net.Conn
	watch *Watch
	in    *incoming // only the goroutine that reads touches it, and its turns

	begun  bool          // guarded by the stream's lock, as what follows
	start  chan struct{} // closed when reading may begin
	busy   bool          // a write runs
	done   bool          // its outcome was not taken yet
	chunk  []byte        // what it writes
	n      int           // its outcome
	err    error
	writer func()        // writeAll, as a value that is made once
	closed chan struct{} // closed by shut
	broken bool          // set before that
}

func newPiped(s *Stream, in Incoming) *piped {
	p := &piped{
		s:      s,
		conn:   in.Conn,
		watch:  in.Watch,
		in:     s.engine.borrow(s),
		start:  make(chan struct{}),
		closed: make(chan struct{}),
	}
	p.writer = p.writeAll
	p.in.buf = append(p.in.buf, in.Leftover...)
	return p
}

// watching begins to tell of hang-ups, and of what comes when begin was called.
func (p *piped) watching() {
	p.watch.Notify(p.s.hungUp)
	go p.run()
}

// runners implements socket.
func (p *piped) runners() *mailbox.Runners { return &p.s.engine.runners }

// begin implements socket.
func (p *piped) begin() {
	if !p.begun {
		p.begun = true
		close(p.start)
	}
}

// run reads until the connection finishes, and closes it in the end.
func (p *piped) run() {
	<-p.start
	p.readAll()
	<-p.closed
	p.watch.Stop()
	if !p.broken {
		Linger(p.conn)
	}
	_ = p.conn.Close() // the peer has all it gets
	p.s.partOver()
}

// readAll reads and decodes until the connection finishes.
func (p *piped) readAll() {
	s := p.s
	defer func() { p.in.free() }()
	turn := func() { // one function value for all turns
		s.heardFrom()
		s.decode(p.in)
	}
	if len(p.in.buf) > 0 && s.box.Do(turn) != nil {
		return
	}
	for !s.isFinishing() {
		space := p.in.space()
		n, err := p.conn.Read(space)
		if n > 0 {
			p.in.grew(n, len(space))
			if s.box.Do(turn) != nil {
				return
			}
		}
		if err != nil {
			s.readFailed(err)
			return
		}
	}
}

// read implements socket: it has a goroutine for that.
func (*piped) read(*Stream, mailbox.Signals) {}

// discard implements socket: its streams do not linger.
func (*piped) discard(*Stream) {}

// write implements socket: it has a goroutine write p.
func (p *piped) write(b []byte, _ bool) (int, error) {
	switch {
	case p.done:
		p.done = false
		return p.n, p.err
	case !p.busy:
		p.busy, p.chunk = true, b
		go p.writer()
	}
	return 0, errBlocked
}

func (p *piped) writeAll() {
	n, err := p.conn.Write(p.chunk)
	p.s.mu.Lock()
	p.busy, p.done, p.chunk, p.n, p.err = false, true, nil, n, err
	p.s.mu.Unlock()
	p.s.resume()
}

// closeWrite implements socket. It may block, for TLS has something to say.
func (p *piped) closeWrite() {
	if c, ok := p.conn.(writeCloser); ok {
		go func() { _ = c.CloseWrite() }() // a peer that is gone already needs no FIN
	}
}

// abandon implements socket.
func (p *piped) abandon() { go func() { _ = p.conn.Close() }() }

// shut implements socket.
func (p *piped) shut(_ *Stream, broken bool) {
	p.broken = broken
	_ = p.conn.SetReadDeadline(longAgo) // wakes the reader; on a closed socket it woke already
	close(p.closed)
}
