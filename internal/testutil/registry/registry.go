// Package registry runs the stock distribution registry inside a test: with or
// without credentials, bearer tokens and TLS, counting the bytes of blobs that
// it sends, and cutting downloads on request.
//
// It is for tests only and must not know what talks to it.
package registry

import (
	"context"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/inmemory" // The registry's storage.
	"github.com/sirupsen/logrus"
)

// Options choose what the registry asks of its clients. The zero value is an
// open registry over plain HTTP.
type Options struct {
	// User and Password are wanted if set: as basic authentication, or at the
	// token service where Token is set.
	User, Password string
	// Token makes the registry ask for bearer tokens of its own token service.
	Token bool
	// TLS serves HTTPS with a certificate of a private authority.
	TLS bool
}

// Registry is a running registry.
type Registry struct {
	// Host is its address as in an image's name: 127.0.0.1:PORT.
	Host string
	// Sent counts the bytes of blobs sent in bodies of GET.
	Sent atomic.Int64
	// Requests counts all requests.
	Requests atomic.Int64
	// Tokens counts the tokens given out.
	Tokens atomic.Int64

	server  *httptest.Server
	options Options

	mu     sync.Mutex
	budget int64
	cut    func()
}

// Start starts a registry that ends with the test.
func Start(t testing.TB, o Options) *Registry {
	t.Helper()
	logrus.SetOutput(io.Discard)
	c := &configuration.Configuration{
		Storage: configuration.Storage{"inmemory": nil, "delete": {"enabled": true}, "maintenance": {"uploadpurging": map[any]any{"enabled": false}}},
		Catalog: configuration.Catalog{MaxEntries: 100},
	}
	c.HTTP.Secret = "a secret of the test"
	c.Log.AccessLog.Disabled = true
	c.Log.Level = "error"
	ctx, cancel := context.WithCancel(context.Background())
	r := &Registry{options: o}
	app := handlers.NewApp(ctx, c)
	h := r.guard(r.count(app))
	if o.TLS {
		r.server = httptest.NewTLSServer(h)
	} else {
		r.server = httptest.NewServer(h)
	}
	r.Host = r.server.Listener.Addr().String()
	t.Cleanup(func() {
		r.server.CloseClientConnections()
		r.server.Close()
		cancel()
	})
	return r
}

// CA is the authority of a TLS registry, as PEM.
func (r *Registry) CA() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.server.Certificate().Raw})
}

// WriteCA puts the authority where clients look for the one of host, in the
// folder certs.d below dir.
func (r *Registry) WriteCA(t testing.TB, dir, host string) {
	t.Helper()
	dir = filepath.Join(dir, "certs.d", host)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "ca.crt"), r.CA(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Cut lets n more bytes of blobs through, then breaks the connection, calls cut
// each time (if not nil), and breaks all coming downloads of blobs at once,
// until Restore.
func (r *Registry) Cut(n int64, cut func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if cut == nil {
		cut = func() {}
	}
	r.budget, r.cut = n, cut
}

// Restore lets downloads through again.
func (r *Registry) Restore() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cut = nil
}

// count counts and cuts.
func (r *Registry) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.Requests.Add(1)
		if req.Method == http.MethodGet && strings.Contains(req.URL.Path, "/blobs/") {
			w = &countingWriter{ResponseWriter: w, r: r}
		}
		next.ServeHTTP(w, req)
	})
}

type countingWriter struct {
	http.ResponseWriter
	r *Registry
}

// Write implements http.ResponseWriter.
func (w *countingWriter) Write(p []byte) (int, error) {
	w.r.mu.Lock()
	cut := w.r.cut
	if cut != nil {
		if int64(len(p)) <= w.r.budget {
			cut = nil
		} else {
			p = p[:w.r.budget]
		}
		w.r.budget -= int64(len(p))
	}
	w.r.mu.Unlock()
	n, err := w.ResponseWriter.Write(p)
	w.r.Sent.Add(int64(n))
	if cut != nil {
		if f, ok := w.ResponseWriter.(http.Flusher); ok {
			f.Flush()
		}
		cut()
		panic(http.ErrAbortHandler)
	}
	return n, err
}
