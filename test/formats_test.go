package test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/containerd/v2/pkg/archive/compression"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"wherry/internal/testutil/registry"
	"wherry/internal/testutil/wherry"
)

// layout is an OCI image layout in the making.
type layout struct {
	t     *testing.T
	blobs map[string][]byte
	index ocispec.Index
}

func newLayout(t *testing.T) *layout {
	return &layout{t: t, blobs: map[string][]byte{}, index: ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex}}
}

// blob adds bytes, or what v is in JSON.
func (l *layout) blob(mediaType string, v any) ocispec.Descriptor {
	l.t.Helper()
	b, ok := v.([]byte)
	if !ok {
		var err error
		if b, err = json.Marshal(v); err != nil {
			l.t.Fatal(err)
		}
	}
	d := ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(b), Size: int64(len(b))}
	l.blobs["blobs/sha256/"+d.Digest.Encoded()] = b
	return d
}

// manifest adds a manifest.
func (l *layout) manifest(mediaType string, config ocispec.Descriptor, annotations map[string]string, layers ...ocispec.Descriptor) ocispec.Descriptor {
	return l.blob(mediaType, ocispec.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: mediaType, Config: config, Layers: layers, Annotations: annotations})
}

// archive writes the layout as a tar, in which a descriptor has a name.
func (l *layout) archive(name string, top ocispec.Descriptor) string {
	l.t.Helper()
	top.Annotations = map[string]string{"io.containerd.image.name": name}
	l.index.Manifests = []ocispec.Descriptor{top}
	index, err := json.Marshal(l.index)
	if err != nil {
		l.t.Fatal(err)
	}
	files := map[string][]byte{ocispec.ImageLayoutFile: []byte(`{"imageLayoutVersion":"1.0.0"}`), ocispec.ImageIndexFile: index}
	for name, b := range l.blobs {
		files[name] = b
	}
	path := filepath.Join(l.t.TempDir(), "image.tar")
	write(l.t, path, string(tarOf(l.t, files)))
	return path
}

// tarOf makes a tar of files.
func tarOf(t *testing.T, files map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for name, content := range files {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func packed(t *testing.T, b []byte, how compression.Compression) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := compression.CompressStream(&out, how)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// ordinary is an ordinary image's configuration.
func ordinary(platform, entrypoint string, diffs ...[]byte) ocispec.Image {
	os, arch, _ := strings.Cut(platform, "/")
	c := ocispec.Image{Platform: ocispec.Platform{OS: os, Architecture: arch}, RootFS: ocispec.RootFS{Type: "layers", DiffIDs: []digest.Digest{}}}
	if entrypoint != "" {
		c.Config.Entrypoint = []string{entrypoint}
	}
	for _, d := range diffs {
		c.RootFS.DiffIDs = append(c.RootFS.DiffIDs, digest.FromBytes(d))
	}
	return c
}

// helloText is the program of the formats, in the text format.
const helloText = `(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\10\00\00\00\06\00\00\00")
  (data (i32.const 16) "hello\n")
  (func (export "_start") (export "run")
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))
`

// formats makes an image in each format in which Wasm is found in the wild.
func formats(t *testing.T) map[string]func(l *layout) ocispec.Descriptor {
	const (
		oci          = ocispec.MediaTypeImageManifest
		ociConfig    = ocispec.MediaTypeImageConfig
		docker       = "application/vnd.docker.distribution.manifest.v2+json"
		dockerConfig = "application/vnd.docker.container.image.v1+json"
		dockerLayer  = "application/vnd.docker.image.rootfs.diff.tar.gzip"
	)
	wasm := greeter("hello\n", 0)
	empty := map[string]any{}
	module := func(l *layout, mediaType string) ocispec.Descriptor { return l.blob(mediaType, wasm) }
	plain := func(platform, file, entrypoint string, content []byte) func(l *layout) ocispec.Descriptor {
		return func(l *layout) ocispec.Descriptor {
			files := tarOf(t, map[string][]byte{file: content})
			return l.manifest(oci, l.blob(ociConfig, ordinary(platform, entrypoint, files)), nil, l.blob(ocispec.MediaTypeImageLayerGzip, packed(t, files, compression.Gzip)))
		}
	}
	artifact := func(config string, fields any, layer string) func(l *layout) ocispec.Descriptor {
		return func(l *layout) ocispec.Descriptor {
			return l.manifest(oci, l.blob(config, fields), nil, module(l, layer))
		}
	}
	return map[string]func(l *layout) ocispec.Descriptor{
		"plain":            plain("wasi/wasm", "hello.wasm", "/hello.wasm", wasm),
		"plain-wasm32":     plain("wasi/wasm32", "hello.wasm", "/hello.wasm", wasm),
		"plain-wasip1":     plain("wasip1/wasm", "hello.wasm", "/hello.wasm", wasm),
		"plain-wasip2":     plain("wasip2/wasm32", "hello.wasm", "/hello.wasm", wasm),
		"plain-bare-name":  plain("wasi/wasm", "hello.wasm", "hello.wasm", wasm),
		"plain-text":       plain("wasi/wasm", "hello.wat", "/hello.wat", []byte(helloText)),
		"plain-function":   plain("wasi/wasm", "hello.wat", "/hello.wat#run", []byte(helloText)),
		"linux-by-mistake": plain("linux/amd64", "hello.wasm", "/hello.wasm", wasm),
		"plain-zstd": func(l *layout) ocispec.Descriptor {
			files := tarOf(t, map[string][]byte{"hello.wasm": wasm})
			return l.manifest(oci, l.blob(ociConfig, ordinary("wasi/wasm", "/hello.wasm", files)), nil, l.blob(ocispec.MediaTypeImageLayerZstd, packed(t, files, compression.Zstd)))
		},
		"docker": func(l *layout) ocispec.Descriptor {
			files := tarOf(t, map[string][]byte{"hello.wasm": wasm})
			return l.manifest(docker, l.blob(dockerConfig, ordinary("wasi/wasm", "/hello.wasm", files)), nil, l.blob(dockerLayer, packed(t, files, compression.Gzip)))
		},
		"cncf": artifact("application/vnd.wasm.config.v0+json", map[string]any{
			"created": "2024-09-01T00:00:00Z", "architecture": "wasm", "os": "wasip1", "layerDigests": []string{digest.FromBytes(wasm).String()},
		}, "application/wasm"),
		"wkg":                    artifact("application/vnd.wasm.config.v1+json", empty, "application/vnd.wasm.content.layer.v1+wasm"),
		"wasm-to-oci":            artifact("application/vnd.wasm.config.v1+json", []byte{}, "application/vnd.wasm.content.layer.v1+wasm"),
		"solo":                   artifact("application/vnd.module.wasm.config.v1+json", empty, "application/vnd.module.wasm.content.layer.v1+wasm"),
		"runwasi":                artifact(ociConfig, ordinary("wasip1/wasm", "/hello.wasm"), "application/wasm"),
		"runwasi-component-type": artifact(ociConfig, ordinary("wasip1/wasm", ""), "application/vnd.bytecodealliance.wasm.component.layer.v0+wasm"),
		"solo-compat": func(l *layout) ocispec.Descriptor {
			files := tarOf(t, map[string][]byte{"plugin.wasm": wasm, "runtime-config.json": []byte(`{"type":"envoy_proxy"}`)})
			return l.manifest(oci, l.blob(ociConfig, ordinary("linux/amd64", "", files)),
				map[string]string{"module.wasm.image/variant": "compat"}, l.blob(ocispec.MediaTypeImageLayerGzip, packed(t, files, compression.Gzip)))
		},
		"index": func(l *layout) ocispec.Descriptor {
			image := plain("wasi/wasm", "hello.wasm", "/hello.wasm", wasm)(l)
			image.Platform = &ocispec.Platform{OS: "wasi", Architecture: "wasm"}
			linux := plain("linux/amd64", "bin/true", "/bin/true", []byte("\x7fELF"))(l)
			linux.Platform = &ocispec.Platform{OS: "linux", Architecture: "amd64"}
			attestation := l.manifest(oci, l.blob(ociConfig, ordinary("unknown/unknown", "", []byte("{}"))), nil, l.blob("application/vnd.in-toto+json", []byte("{}")))
			attestation.Platform = &ocispec.Platform{OS: "unknown", Architecture: "unknown"}
			attestation.Annotations = map[string]string{"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": image.Digest.String()}
			return l.blob(ocispec.MediaTypeImageIndex, ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Manifests: []ocispec.Descriptor{linux, image, attestation}})
		},
	}
}

// Every format is loaded and runs, goes to a registry and comes back with the
// digest it had, and runs under each name of the platform.
func TestFormats(t *testing.T) {
	e := wherry.Start(t)
	reg := registry.Start(t, registry.Options{})
	for name, make := range formats(t) {
		t.Run(name, func(t *testing.T) {
			ref := reg.Host + "/" + name + ":v1"
			l := newLayout(t)
			top := make(l)
			if got := e.Must("load", "-q", "-i", l.archive(ref, top)); got != "Loaded image: "+ref {
				t.Errorf("load printed %q", got)
			}
			run := func(args ...string) {
				t.Helper()
				if got := e.Must(append([]string{"run", "--rm"}, args...)...); got != "hello" {
					t.Errorf("run %v printed %q", args, got)
				}
			}
			run("--pull=never", ref)
			e.Must("push", "-q", ref)
			e.Must("rmi", ref)
			platforms := []string{"wasi/wasm", "wasi/wasm32", "wasip1/wasm", "wasip2/wasm"}
			if name == "linux-by-mistake" {
				platforms = []string{"linux/amd64"}
			}
			e.Must("pull", "-q", "--platform", platforms[0], ref)
			if got, want := e.Must("inspect", "-f", "{{index .RepoDigests 0}}", ref), reg.Host+"/"+name+"@"+top.Digest.String(); got != want {
				t.Errorf("after push and pull it is %s, want %s", got, want)
			}
			run("--pull=never", ref)
			for _, p := range platforms {
				run("--platform", p, ref)
			}
			run("--pull=never", reg.Host+"/"+name+"@"+top.Digest.String())
		})
	}
}

// An archive of docker save, with its old manifest, and a saved image load.
func TestArchives(t *testing.T) {
	e := wherry.Start(t)
	layer := tarOf(t, map[string][]byte{"hello.wasm": greeter("hello\n", 0)})
	config, err := json.Marshal(ordinary("wasi/wasm", "/hello.wasm", layer))
	if err != nil {
		t.Fatal(err)
	}
	id := digest.FromBytes(config).Encoded()
	manifest, err := json.Marshal([]map[string]any{{"Config": id + ".json", "RepoTags": []string{"old:1"}, "Layers": []string{"one/layer.tar"}}})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	old := filepath.Join(dir, "old.tar")
	write(t, old, string(tarOf(t, map[string][]byte{"manifest.json": manifest, id + ".json": config, "one/layer.tar": layer})))
	e.Must("load", "-q", "-i", old)
	saved := filepath.Join(dir, "saved.tar")
	for range 2 {
		before := e.Must("inspect", "-f", "{{.Id}}", "old:1")
		if got := e.Must("run", "--rm", "--pull=never", "old:1"); got != "hello" {
			t.Errorf("the loaded image printed %q", got)
		}
		e.Must("save", "-o", saved, "old:1")
		e.Must("rmi", "old:1")
		e.Must("load", "-q", "-i", saved)
		if after := e.Must("inspect", "-f", "{{.Id}}", "old:1"); after != before {
			t.Errorf("saved as %s, loaded as %s", before, after)
		}
	}
	if err := os.Remove(saved); err != nil {
		t.Fatal(err)
	}
}
