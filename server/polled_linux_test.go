package server_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/portico-go/portico/server"
)

// What only waits holds one descriptor and no goroutine: for its first bytes, for the
// rest of a head or of a handshake, for its next request.
func TestWaitingHoldsNoGoroutine(t *testing.T) {
	if portable {
		return // there each has one, by design
	}
	const each = 100
	const request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
	addr := start(t, all, server.Config{})
	goroutines, descriptors := runtime.NumGoroutine(), openDescriptors(t)
	conns := 0
	for _, begin := range []string{"", "GE", request[:20], "/nick b", request, request + request[:20]} {
		for range each {
			c := dial(t, addr)
			conns++
			_, _ = io.WriteString(c, begin)
			if strings.HasPrefix(begin, request) {
				readResponse(t, bufio.NewReader(c))
			}
		}
	}
	var held int
	for end := time.Now().Add(patience); time.Now().Before(end); runtime.Gosched() {
		if held = runtime.NumGoroutine() - goroutines; held < 10 {
			break
		}
	}
	if held >= 10 {
		t.Errorf("%d connections hold %d goroutines, want none", conns, held)
	}
	if n := openDescriptors(t) - descriptors; n > 2*conns+10 { // with the clients' own
		t.Errorf("%d connections hold %d descriptors, want one at each end", conns, n)
	}
}

func openDescriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func readResponse(t *testing.T, r *bufio.Reader) (status int, body string) {
	t.Helper()
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	read, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(read)
}

// Requests of all kinds behind each other are answered in order, whatever pieces they
// come in, up to the WebSocket that the last one becomes, and what is sent to it.
func TestRequestsBehindEachOther(t *testing.T) {
	t.Parallel()
	requests := "GET /a HTTP/1.1\r\nHost: x\r\n\r\n" +
		"\r\nHEAD /b HTTP/1.1\r\nHost: x\r\n\r\n" +
		"POST /c HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nab\r\n\r\ncdef" +
		"GET /d HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nok" +
		"POST /e HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" +
		"GET /f HTTP/1.1\nHost: x\n\n" + // is refused, so what follows is not read
		"GET /g HTTP/1.1\r\nHost: x\r\n\r\n"
	upgrade := strings.Replace(requests, requests[strings.Index(requests, "GET /f"):], upgradeRequest("/ws")+text("hi"), 1)
	addr := start(t, all, server.Config{})
	for _, size := range []int{1, 7, 100, len(requests) + len(upgrade)} {
		c := dial(t, addr)
		go inPieces(c, requests, size)
		wantStatuses(t, bufio.NewReader(c), 200, 200, 200, 200, 200, 400)

		c = dial(t, addr)
		go inPieces(c, upgrade, size)
		r := bufio.NewReader(c)
		wantStatuses(t, r, 200, 200, 200, 200, 200, 101)
		echoed := make([]byte, 4)
		if _, err := io.ReadFull(r, echoed); err != nil || string(echoed) != "\x81\x02hi" {
			t.Errorf("in pieces of %d: the WebSocket reads %q, %v", size, echoed, err)
		}
	}
}

func inPieces(c net.Conn, text string, size int) {
	for len(text) > 0 {
		n := min(size, len(text))
		if _, err := io.WriteString(c, text[:n]); err != nil {
			return // the reader tells
		}
		text = text[n:]
		runtime.Gosched()
	}
}

// wantStatuses reads answers, of which the second is one to HEAD.
func wantStatuses(t *testing.T, r *bufio.Reader, statuses ...int) {
	t.Helper()
	for i, want := range statuses {
		asked := &http.Request{Method: "GET"}
		if i == 1 {
			asked.Method = "HEAD"
		}
		res, err := http.ReadResponse(r, asked)
		if err != nil {
			t.Fatalf("answer %d: %v", i, err)
		}
		if want != 101 {
			_, _ = io.Copy(io.Discard, res.Body)
		}
		_ = res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("answer %d is %d, want %d", i, res.StatusCode, want)
		}
	}
}
