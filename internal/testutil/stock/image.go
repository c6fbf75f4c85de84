//go:build linux

package stock

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Image describes an image to be made.
type Image struct {
	// Name is its reference, with a registry and a tag.
	Name string
	// Platform is the one in its configuration.
	Platform ocispec.Platform
	// Files are what its one layer holds, by path without a leading slash.
	Files map[string][]byte
	// Entrypoint is its program.
	Entrypoint []string
	// Healthcheck is how its containers are checked, in the words of a Dockerfile.
	Healthcheck []string
	// Artifact makes a CNCF Wasm artifact of the one file instead.
	Artifact bool
}

// The media types of CNCF's Wasm artifacts (TAG Runtime, "Wasm OCI Artifact layout").
const (
	artifactConfig = "application/vnd.wasm.config.v0+json"
	artifactLayer  = "application/wasm"
)

// Archive writes an image as an OCI layout in a tar file and gives its path.
func (i Image) Archive(t testing.TB) string {
	t.Helper()
	blobs := map[digest.Digest][]byte{}
	add := func(media string, data []byte) ocispec.Descriptor {
		d := digest.FromBytes(data)
		blobs[d] = data
		return ocispec.Descriptor{MediaType: media, Digest: d, Size: int64(len(data))}
	}
	var config, layer ocispec.Descriptor
	if i.Artifact {
		for _, data := range i.Files {
			layer = add(artifactLayer, data)
		}
		config = add(artifactConfig, encode(t, map[string]any{
			"created": "2024-01-01T00:00:00Z", "architecture": "wasm", "os": "wasip1", "layerDigests": []string{layer.Digest.String()},
		}))
	} else {
		archive := i.layer(t)
		layer = add(ocispec.MediaTypeImageLayer, archive)
		config = add(ocispec.MediaTypeImageConfig, encode(t, imageConfig{
			Image: ocispec.Image{
				Platform: i.Platform,
				RootFS:   ocispec.RootFS{Type: "layers", DiffIDs: []digest.Digest{digest.FromBytes(archive)}},
			},
			Config: containerConfig{ocispec.ImageConfig{Entrypoint: i.Entrypoint}, health{i.Healthcheck}},
		}))
	}
	manifest := add(ocispec.MediaTypeImageManifest, encode(t, ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		Config: config, Layers: []ocispec.Descriptor{layer},
	}))
	if !i.Artifact {
		manifest.Platform = &i.Platform
	}
	manifest.Annotations = map[string]string{"io.containerd.image.name": i.Name, ocispec.AnnotationRefName: i.Name}
	files := map[string][]byte{
		ocispec.ImageLayoutFile: encode(t, ocispec.ImageLayout{Version: ocispec.ImageLayoutVersion}),
		"index.json": encode(t, ocispec.Index{
			Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex,
			Manifests: []ocispec.Descriptor{manifest},
		}),
	}
	for d, data := range blobs {
		files["blobs/sha256/"+d.Encoded()] = data
	}
	path := filepath.Join(t.TempDir(), "image.tar")
	if err := os.WriteFile(path, archive(t, files), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// imageConfig is a configuration with what Docker has beyond OCI's.
type (
	imageConfig struct {
		ocispec.Image
		Config containerConfig `json:"config"`
	}
	containerConfig struct {
		ocispec.ImageConfig
		Healthcheck health `json:",omitzero"`
	}
	health struct {
		Test []string `json:",omitempty"`
	}
)

// IsZero says that there is no check.
func (h health) IsZero() bool { return len(h.Test) == 0 }

func (i Image) layer(t testing.TB) []byte { t.Helper(); return archive(t, i.Files) }

func archive(t testing.TB, files map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for name, data := range files {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(data)), Mode: 0o755, ModTime: time.Unix(0, 0)}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func encode(t testing.TB, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
