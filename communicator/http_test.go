package communicator_test

import (
	"context"
	"testing"

	"github.com/portico-go/portico/communicator"
	"github.com/portico-go/portico/consumer"
)

func TestC1_PathAndQueryAreSplit(t *testing.T) {
	t.Parallel()
	app := consumer.HTTPFunc(func(_ context.Context, x *consumer.Exchange) error {
		s := x.Scope()
		return x.Text(200, s.Method()+" "+s.Path()+" "+s.RawQuery()+" "+s.Host())
	})
	got, err := communicator.HTTP(t, app, "PUT", "/test/?foo=bar").Do()
	if err != nil || string(got.Body) != "PUT /test/ foo=bar 127.0.0.1:8000" {
		t.Fatalf("Do = %+v, %v", got, err)
	}
}

func TestCookies(t *testing.T) {
	t.Parallel()
	app := consumer.HTTPFunc(func(_ context.Context, x *consumer.Exchange) error {
		x.Header.Add("Set-Cookie", "a=1; Path=/")
		x.Header.Add("Set-Cookie", "b=2")
		return x.NoContent(204)
	})
	got, err := communicator.HTTP(t, app, "GET", "/").Do()
	if err != nil || got.Cookies() != "a=1; b=2" {
		t.Fatalf("Cookies = %q, %v", got.Cookies(), err)
	}
}
