package store

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"testing"

	"github.com/containerd/containerd/v2/core/content"
	digest "github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"wherry/internal/image"
)

// wasm is the smallest module with a _start function.
const wasm = "\x00asm\x01\x00\x00\x00" + // header
	"\x01\x04\x01\x60\x00\x00" + // type () -> ()
	"\x03\x02\x01\x00" + // one function
	"\x07\x0a\x01\x06_start\x00\x00" + // export
	"\x0a\x04\x01\x02\x00\x0b" // body

// openStore opens a store in a folder of the test.
func openStore(t *testing.T) *Store {
	t.Helper()
	s, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// layerTar is a layer of files, uncompressed; a name that ends in / is a
// folder.
func layerTar(t testing.TB, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		h := &tar.Header{Name: files[i], Mode: 0o644, Size: int64(len(files[i+1])), Typeflag: tar.TypeReg}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(files[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gzipped(t testing.TB, b []byte) []byte {
	t.Helper()
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return z.Bytes()
}

// put writes a blob.
func put(ctx context.Context, t testing.TB, s *Store, mediaType string, b []byte) ocispec.Descriptor {
	t.Helper()
	d := ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(b), Size: int64(len(b))}
	if err := content.WriteBlob(ctx, s.Content(), "test-"+d.Digest.String(), bytes.NewReader(b), d); err != nil {
		t.Fatal(err)
	}
	return d
}

func mustJSON(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// plainImage puts an ordinary image of one layer in the store.
func plainImage(t testing.TB, s *Store, name string, p ocispec.Platform, files ...string) Image {
	t.Helper()
	ctx, done, err := s.Lease(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	img, err := s.CreateImage(ctx, name, plainManifest(ctx, t, s, p, files...))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func plainManifest(ctx context.Context, t testing.TB, s *Store, p ocispec.Platform, files ...string) ocispec.Descriptor {
	t.Helper()
	raw := layerTar(t, files...)
	layer := put(ctx, t, s, ocispec.MediaTypeImageLayerGzip, gzipped(t, raw))
	config := put(ctx, t, s, ocispec.MediaTypeImageConfig, mustJSON(t, ocispec.Image{
		Platform: p,
		Config:   ocispec.ImageConfig{Entrypoint: []string{"/" + files[0]}},
		RootFS:   ocispec.RootFS{Type: "layers", DiffIDs: []digest.Digest{digest.FromBytes(raw)}},
		History:  []ocispec.History{{CreatedBy: "COPY . /"}, {CreatedBy: "ENTRYPOINT", EmptyLayer: true}},
	}))
	return put(ctx, t, s, ocispec.MediaTypeImageManifest, mustJSON(t, ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		Config: config, Layers: []ocispec.Descriptor{layer},
	}))
}

// artifact puts a CNCF Wasm OCI artifact in the store.
func artifact(t testing.TB, s *Store, name, module string) Image {
	t.Helper()
	ctx, done, err := s.Lease(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	layer := put(ctx, t, s, image.MediaTypeWasm, []byte(module))
	config := put(ctx, t, s, image.MediaTypeConfigV0, mustJSON(t, map[string]any{
		"created": "2024-01-02T03:04:05Z", "architecture": "wasm", "os": "wasip1",
		"layerDigests": []string{layer.Digest.String()},
	}))
	img, err := s.CreateImage(ctx, name, put(ctx, t, s, ocispec.MediaTypeImageManifest, mustJSON(t, ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		Config: config, Layers: []ocispec.Descriptor{layer},
	})))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// emptyWasm makes modules that differ.
func wasmWith(custom string) string {
	return wasm + "\x00" + string(rune(len(custom)+2)) + "\x01x" + custom
}
