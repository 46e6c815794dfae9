package nats_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	natsgo "github.com/nats-io/nats.go"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/layertest"
	"github.com/portico-go/portico/channellayer/nats"
)

// certified returns a server's options with a certificate for 127.0.0.1, and who trusts it.
func certified(t *testing.T) (server.Options, *x509.CertPool) {
	t.Helper()
	issuer := httptest.NewTLSServer(nil) // has one
	defer issuer.Close()
	roots := x509.NewCertPool()
	roots.AddCert(issuer.Certificate())
	return server.Options{
		MaxPayload: 8 << 20, MaxPending: 64 << 20,
		TLS: true, TLSTimeout: patience.Seconds(),
		TLSConfig: &tls.Config{Certificates: issuer.TLS.Certificates, MinVersion: tls.VersionTLS12},
	}, roots
}

func TestTLS(t *testing.T) {
	t.Parallel()
	o, roots := certified(t)
	s := launch(t, o)
	url := s.url()
	layertest.Run(t, layertest.Backend{
		Broker: func(t *testing.T) channellayer.Broker {
			b, err := nats.New(nats.Options{
				URL:    url,
				Client: []natsgo.Option{natsgo.Secure(&tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12})},
			})
			if err != nil {
				t.Fatal(err)
			}
			return b
		},
		Stop:     func(*testing.T) { s.stop() },
		Start:    func(*testing.T) { s.start() },
		Patience: patience,
		Groups:   1000,
	})
}

// Whom nobody trusts gets nothing. Who sends is told why.
func TestTLSOfAStranger(t *testing.T) {
	t.Parallel()
	o, _ := certified(t)
	s := launch(t, o)
	b, err := nats.Open(s.url())
	if err != nil {
		t.Fatal(err)
	}
	hub, err := channellayer.New(channellayer.Config{Broker: b})
	if err != nil {
		t.Fatal(err) // the server may get another certificate
	}
	defer hub.Close()
	_, err = hub.GroupSend(t.Context(), "g", channellayer.Event{Type: "said", Value: "hi"})
	if !errors.Is(err, channellayer.ErrBrokerDown) || !strings.Contains(err.Error(), "unknown authority") || strings.Contains(err.Error(), "wonderland") {
		t.Errorf("a send got %v, expected that nobody knows who the server is", err)
	}
}
