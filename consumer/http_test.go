package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-go/portico/communicator"
	"github.com/portico-go/portico/consumer"
	"github.com/portico-go/portico/protocol"
)

func TestH1_JSONBodyAndHeaders(t *testing.T) {
	t.Parallel()
	app := consumer.HTTPFunc(func(_ context.Context, x *consumer.Exchange) error {
		var in map[string]int
		if err := x.DecodeJSON(&in); err != nil {
			return err
		}
		x.Header.Add("X-One", "1")
		x.Header.Add("X-One", "2")
		return x.JSON(200, map[string]int{"sum": in["a"] + in["b"]})
	})
	r := communicator.HTTP(t, app, "POST", "/test/", communicator.Header("Content-Type", "application/json; charset=utf-8"))
	got, err := r.WithBody(`{"a": 1, "b": 2}`).Do()
	if err != nil || got.Status != 200 || string(got.Body) != "{\"sum\":3}\n" {
		t.Fatalf("Do = %+v, %v", got, err)
	}
	want := protocol.Fields{{Name: "X-One", Value: "1"}, {Name: "X-One", Value: "2"}, {Name: "Content-Type", Value: "application/json"}}
	if fmt.Sprint(got.Header) != fmt.Sprint(want) {
		t.Errorf("headers = %v, want %v", got.Header, want)
	}
}

func TestH2_AnErrorSurfaces(t *testing.T) {
	t.Parallel()
	oops := errors.New("error correctly raised")
	app := consumer.HTTPFunc(func(context.Context, *consumer.Exchange) error { return oops })
	got, err := communicator.HTTP(t, app, "GET", "/").Do()
	if !errors.Is(err, oops) || got == nil || got.Status != 500 || strings.Contains(string(got.Body), "raised") {
		t.Fatalf("Do = %+v, %v, want a plain 500 and the error", got, err)
	}
}

func TestH3_EachRequestHasItsOwnState(t *testing.T) {
	t.Parallel()
	type state struct{ calls int }
	app := &consumer.HTTP[state]{
		Handle: func(s *state, _ context.Context, x *consumer.Exchange) error {
			s.calls++
			return x.Text(200, fmt.Sprint(s.calls))
		},
	}
	for range 2 {
		if got, err := communicator.HTTP(t, app, "GET", "/").Do(); err != nil || string(got.Body) != "1" {
			t.Fatalf("Do = %+v, %v", got, err)
		}
	}
}

func TestHTTPDisconnectComesOnce(t *testing.T) {
	t.Parallel()
	for name, handle := range map[string]func(*int, context.Context, *consumer.Exchange) error{
		"answered": func(_ *int, _ context.Context, x *consumer.Exchange) error { return x.NoContent(204) },
		"rejected": func(*int, context.Context, *consumer.Exchange) error { return protocol.Rejectf(404, "no") },
		"panicked": func(*int, context.Context, *consumer.Exchange) error { panic("oops") },
	} {
		t.Run(name, func(t *testing.T) {
			n := &notes{}
			app := &consumer.HTTP[int]{
				Handle: handle,
				Disconnect: func(_ *int, _ context.Context, _ *consumer.Exchange, ev *protocol.Disconnect) error {
					n.add("disconnect accepted=%v", ev.Accepted)
					return nil
				},
			}
			r := communicator.HTTP(t, app, "GET", "/")
			_, _ = r.Do()
			_ = r.Wait()
			want := fmt.Sprintf("[disconnect accepted=%v]", name == "answered")
			if fmt.Sprint(n.lines) != want {
				t.Errorf("notes = %v, want %v", n.lines, want)
			}
		})
	}
}

func TestStreaming(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		app := &consumer.HTTP[struct{}]{
			Stream: true,
			Handle: func(_ *struct{}, _ context.Context, x *consumer.Exchange) error {
				x.Conn().PostAfter(time.Minute, &protocol.Timer{Name: "tick"})
				return x.Start(200, "text/event-stream")
			},
			Posted: func(_ *struct{}, _ context.Context, x *consumer.Exchange, ev protocol.Event) error {
				if err := x.Write([]byte("data: " + ev.(*protocol.Timer).Name + "\n\n")); err != nil {
					return err
				}
				return x.End()
			},
		}
		r := communicator.HTTP(t, app, "GET", "/")
		r.Start()
		if start, err := r.ReceiveStart(); err != nil || start.Status != 200 || start.Header.Get("Content-Type") != "text/event-stream" {
			t.Fatalf("ReceiveStart = %+v, %v", start, err)
		}
		if !r.ReceiveNothing(59 * time.Second) {
			t.Fatal("a part came before the timer")
		}
		r.Timeout = time.Hour
		if part, more, err := r.ReceivePart(); err != nil || !more || string(part) != "data: tick\n\n" {
			t.Fatalf("ReceivePart = %q, %v, %v", part, more, err)
		}
		if part, more, err := r.ReceivePart(); err != nil || more || len(part) != 0 {
			t.Fatalf("ReceivePart = %q, %v, %v, want the end", part, more, err)
		}
	})
}

func TestExchangeReadsBodies(t *testing.T) {
	t.Parallel()
	app := consumer.HTTPFunc(func(_ context.Context, x *consumer.Exchange) error {
		if x.Scope().Path() == "/json" {
			var v struct{ Text string }
			if err := x.DecodeJSON(&v); err != nil {
				return err
			}
			return x.Text(200, v.Text)
		}
		form, err := x.Form()
		if err != nil {
			return err
		}
		return x.Text(200, form.Get("text"))
	})
	const form, json = "application/x-www-form-urlencoded", "application/json"
	tests := []struct {
		name, path, contentType, body string
		status                        int
		want                          string
	}{
		{"form", "/form", form, "text=a+b%21", 200, "a b!"},
		{"form of another type", "/form", json, "text=a", 415, "expected a form"},
		{"form without a type", "/form", "", "text=a", 415, "expected a form"},
		{"malformed form", "/form", form, "text=%zz", 400, "malformed"},
		{"json", "/json", json, `{"Text":"hi"}`, 200, "hi"},
		{"json of another type", "/json", form, `{}`, 415, "expected JSON"},
		{"malformed json", "/json", json, `{`, 400, "invalid JSON"},
		{"empty json", "/json", json, ``, 400, "empty"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var options []communicator.Option
			if tt.contentType != "" {
				options = append(options, communicator.Header("Content-Type", tt.contentType))
			}
			got, err := communicator.HTTP(t, app, "POST", tt.path, options...).WithBody(tt.body).Do()
			if err != nil || got.Status != tt.status || !strings.Contains(string(got.Body), tt.want) {
				t.Fatalf("Do = %+v, %v, want %d %q", got, err, tt.status, tt.want)
			}
		})
	}
}

func TestRedirect(t *testing.T) {
	t.Parallel()
	app := consumer.HTTPFunc(func(_ context.Context, x *consumer.Exchange) error { return x.Redirect(303, "/home") })
	got, err := communicator.HTTP(t, app, "POST", "/").Do()
	if err != nil || got.Status != 303 || got.Header.Get("Location") != "/home" {
		t.Fatalf("Do = %+v, %v", got, err)
	}
}

// A consumer that a router sends the wrong protocol fails loudly, not strangely.
func TestConsumersRefuseWhatIsNotTheirs(t *testing.T) {
	t.Parallel()
	t.Run("HTTP over WebSocket", func(t *testing.T) {
		t.Parallel()
		_, err := communicator.WebSocket(t, consumer.HTTPFunc(nil), "/").Connect()
		if err == nil || !strings.Contains(err.Error(), "consumer.Messages") {
			t.Errorf("Connect = %v", err)
		}
	})
	t.Run("Messages over HTTP", func(t *testing.T) {
		t.Parallel()
		_, err := communicator.HTTP(t, &consumer.Messages[int]{}, "GET", "/").Do()
		if err == nil || !strings.Contains(err.Error(), "consumer.HTTP") {
			t.Errorf("Do = %v", err)
		}
	})
}

func TestHTTPCheckFindsFaults(t *testing.T) {
	t.Parallel()
	for name, app := range map[string]protocol.Application{
		"no Handle":             &consumer.HTTP[int]{},
		"nil function":          consumer.HTTPFunc(nil),
		"Posted without Stream": &consumer.HTTP[int]{Handle: func(*int, context.Context, *consumer.Exchange) error { return nil }, Posted: func(*int, context.Context, *consumer.Exchange, protocol.Event) error { return nil }},
	} {
		if err := protocol.Check(app); err == nil {
			t.Errorf("%s: Check found nothing", name)
		}
	}
}
