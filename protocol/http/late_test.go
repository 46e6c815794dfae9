package http_test

import (
	"context"
	"errors"
	"io"
	nethttp "net/http"
	"strconv"
	"sync"
	"testing"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/protocol/http"
)

// Goroutines that outlive their request send, post, flush and drain while the
// connection serves the next ones: nothing of it shows in any other answer, all of
// it comes too late, and -race finds nothing.
func TestLateUseOfAConn(t *testing.T) {
	t.Parallel()
	const requests, lurkers = 300, 4
	var wg sync.WaitGroup
	late := make([]chan struct{}, requests)
	lurk := func(scope *protocol.Scope, conn *protocol.Conn, over chan struct{}) {
		number := scope.Query("n")
		use := func() error {
			return errors.Join(
				tooLate(conn.Post(&protocol.Timer{})),
				tooLate(conn.Flush()),
				tooLate(http.Drain(context.Background(), conn)),
				tooLate(conn.Send(&http.Response{Head: protocol.Head{Status: 418}, Body: []byte("late")})),
				tooLate(conn.Send(&http.ResponseBody{Body: []byte("late")})),
			)
		}
		for range 20 {
			_ = http.Drain(context.Background(), conn) // at any time; the others could win
			_ = conn.Flush()
			_ = conn.Post(&protocol.Timer{})
		}
		<-over
		for range 20 {
			if err := use(); err != nil {
				t.Errorf("request %s: %v", number, err)
			}
		}
		if scope.Query("n") != number || scope.Header("Number") != number {
			t.Errorf("the scope of request %s has become that of %s", number, scope.Query("n"))
		}
	}
	app := open(func(scope *protocol.Scope, conn *protocol.Conn) protocol.HandlerFunc {
		n, err := strconv.Atoi(scope.Query("n"))
		if err != nil {
			t.Error(err)
		}
		if n%5 == 0 {
			http.Stream(scope)
		}
		over := late[n]
		for range lurkers {
			wg.Go(func() { lurk(scope, conn, over) })
		}
		return func(_ context.Context, ev protocol.Event) error {
			switch ev.(type) {
			case *http.Request:
				return conn.Send(&http.Response{Body: []byte(scope.Query("n"))})
			case *protocol.Disconnect:
				close(over)
			}
			return nil
		}
	})
	ln := serve(t, app, http.Config{})
	c := client(t, ln)
	for n := range requests {
		late[n] = make(chan struct{})
		number := strconv.Itoa(n)
		req, err := nethttp.NewRequestWithContext(t.Context(), "GET", "http://a/?n="+number, nethttp.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Number", number)
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != 200 || string(body) != number {
			t.Fatalf("request %d was answered with %d %q, %v", n, resp.StatusCode, body, err)
		}
	}
	wg.Wait()
}

// tooLate returns what is wrong with the error of something that comes too late.
func tooLate(err error) error {
	if errors.Is(err, protocol.ErrClosed) {
		return nil
	}
	return errors.Join(errors.New("it was not too late"), err)
}
