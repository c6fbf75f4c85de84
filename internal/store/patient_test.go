package store

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	digest "github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"wherry/internal/image"
)

// endless writes until the client goes.
func endless(w http.ResponseWriter, r *http.Request, text string) {
	for r.Method != http.MethodHead && r.Context().Err() == nil {
		if _, err := w.Write([]byte(text)); err != nil {
			return
		}
	}
}

// Registries that send without end, or fall silent, are left in words, and
// nothing of what they sent stays.
func TestHostileRegistry(t *testing.T) {
	layer := layerTar(t, "app.wasm", wasm)
	config := mustJSON(t, ocispec.Image{Platform: image.DefaultPlatform, RootFS: ocispec.RootFS{Type: "layers", DiffIDs: []digest.Digest{digest.FromBytes(layer)}}})
	manifest := mustJSON(t, ocispec.Manifest{
		MediaType: ocispec.MediaTypeImageManifest,
		Config:    ocispec.Descriptor{MediaType: ocispec.MediaTypeImageConfig, Digest: digest.FromBytes(config), Size: int64(len(config))},
		Layers:    []ocispec.Descriptor{{MediaType: ocispec.MediaTypeImageLayer, Digest: digest.FromBytes(layer), Size: int64(len(layer))}},
	})
	serve := func(w http.ResponseWriter, b []byte) {
		w.Header().Set("Content-Type", ocispec.MediaTypeImageManifest)
		w.Header().Set("Docker-Content-Digest", digest.FromBytes(b).String())
		w.Header().Set("Content-Length", fmt.Sprint(len(b)))
		_, _ = w.Write(b) // the client may have gone
	}
	long := strings.Repeat("a", 64<<10)
	for name, c := range map[string]struct {
		handle func(w http.ResponseWriter, r *http.Request) bool // whether it answered
		says   string
	}{
		"endless manifest": {func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.Contains(r.URL.Path, "/manifests/") {
				return false
			}
			w.Header().Set("Content-Type", ocispec.MediaTypeImageManifest)
			endless(w, r, long)
			return true
		}, "more than 8388608 bytes"},
		"endless error": {func(w http.ResponseWriter, r *http.Request) bool {
			w.WriteHeader(http.StatusTeapot)
			endless(w, r, long)
			return true
		}, "418"},
		"endless token": {func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/token" {
				_, _ = w.Write([]byte(`{"token":"`))
				endless(w, r, long)
				return true
			}
			w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+r.Host+`/token",service="x",scope="y"`)
			w.WriteHeader(http.StatusUnauthorized)
			return true
		}, "more than 8388608 bytes"},
		"endless layer": {func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, digest.FromBytes(layer).String()) {
				return false
			}
			w.Header().Set("Content-Type", "application/octet-stream")
			endless(w, r, long)
			return true
		}, "does not match its digest"},
		"silent": {func(_ http.ResponseWriter, r *http.Request) bool {
			<-r.Context().Done()
			return true
		}, "sent nothing for"},
		"silent layer": {func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, digest.FromBytes(layer).String()) {
				return false
			}
			_, _ = w.Write(layer[:10])
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			return true
		}, "sent nothing for"},
		"a layer of a petabyte": {func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.Contains(r.URL.Path, "/manifests/") {
				return false
			}
			var m ocispec.Manifest
			if err := json.Unmarshal(manifest, &m); err != nil {
				t.Error(err)
			}
			m.Layers[0].Size = 1 << 50
			serve(w, mustJSON(t, m))
			return true
		}, "more than the"},
	} {
		t.Run(name, func(t *testing.T) {
			var sent atomic.Int64
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w = &counted{w, &sent}
				switch {
				case c.handle(w, r):
				case strings.Contains(r.URL.Path, "/manifests/"):
					serve(w, manifest)
				case strings.HasSuffix(r.URL.Path, digest.FromBytes(config).String()):
					serve(w, config)
				case strings.HasSuffix(r.URL.Path, digest.FromBytes(layer).String()):
					serve(w, layer)
				default:
					http.NotFound(w, r)
				}
			}))
			defer server.Close()
			defer server.CloseClientConnections()
			s := openStore(t)
			s.retryWait, s.patience = time.Millisecond, 200*time.Millisecond
			_, err := s.Pull(context.Background(), PullOptions{Ref: strings.TrimPrefix(server.URL, "http://") + "/x"})
			if err == nil || !strings.Contains(err.Error(), c.says) || len(err.Error()) > 5000 {
				t.Errorf("%.500v; want %q", err, c.says)
			}
			if n := sent.Load(); n > 64<<20 {
				t.Errorf("%d bytes were read", n)
			}
			var kept int64
			if err := filepath.WalkDir(s.path("content"), func(_ string, d os.DirEntry, err error) error {
				if err == nil && d.Type().IsRegular() {
					if fi, err := d.Info(); err == nil {
						kept += fi.Size()
					}
				}
				return err
			}); err != nil || kept > 64<<10 {
				t.Errorf("%d bytes are kept, %v", kept, err)
			}
		})
	}
}

// counted counts what a handler sends.
type counted struct {
	http.ResponseWriter
	sent *atomic.Int64
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p)
	c.sent.Add(int64(n))
	return n, err
}

func (c *counted) Flush() { c.ResponseWriter.(http.Flusher).Flush() }
