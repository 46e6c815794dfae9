package redis_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redis/rueidis"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/layertest"
	"github.com/portico-go/portico/channellayer/redis"
)

// certified returns the configuration of a server with a certificate for 127.0.0.1, and
// who trusts it.
func certified(t *testing.T) (config []string, roots *x509.CertPool) {
	t.Helper()
	issuer := httptest.NewTLSServer(nil) // has one
	defer issuer.Close()
	own := issuer.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(own.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, block := range map[string]*pem.Block{
		"cert": {Type: "CERTIFICATE", Bytes: own.Certificate[0]},
		"key":  {Type: "PRIVATE KEY", Bytes: key},
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		config = append(config, fmt.Sprintf("tls-%s-file %s", name, path))
	}
	roots = x509.NewCertPool()
	roots.AddCert(issuer.Certificate())
	return append(config, "tls-auth-clients no"), roots
}

func TestTLS(t *testing.T) {
	t.Parallel()
	config, roots := certified(t)
	port := freePort(t)
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	s := launch(t, append(config, fmt.Sprintf("tls-port %d", port)))
	layertest.Run(t, layertest.Backend{
		Broker: func(t *testing.T) channellayer.Broker {
			return open(t, redis.Options{Client: rueidis.ClientOption{
				InitAddress: []string{addr},
				TLSConfig:   &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			}})
		},
		Stop:     func(*testing.T) { s.kill() },
		Start:    func(*testing.T) { s.start() },
		Patience: patience,
		Groups:   1000,
	})
}

// Whom nobody trusts gets nothing, not even a password. Who sends is told why.
func TestTLSOfAStranger(t *testing.T) {
	t.Parallel()
	config, _ := certified(t)
	port := freePort(t)
	launch(t, append(config, fmt.Sprintf("tls-port %d", port)))
	b, err := redis.Open(fmt.Sprintf("rediss://:wonderland@127.0.0.1:%d", port))
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
