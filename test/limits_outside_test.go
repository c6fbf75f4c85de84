package test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// zeros is so many bytes of nothing.
type zeros int64

func (z *zeros) Read(p []byte) (int, error) {
	if *z <= 0 {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), int64(*z)))
	clear(p[:n])
	*z -= zeros(n)
	return n, nil
}

// bomb is a gzip of a tar of one file of zeros that is cut after size bytes.
func bomb(t *testing.T, size int64) []byte {
	t.Helper()
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(z)
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "zeros", Mode: 0o644, Size: size}); err != nil {
		t.Fatal(err)
	}
	content := zeros(size)
	if _, err := io.Copy(w, &content); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// Images that are attacks are refused in words, and nothing of them stays.
func testHostileLayers(t *testing.T, l *limits) {
	before := diskUse(t, l.Data())
	for name, c := range map[string]struct {
		image func(o *layout) ocispec.Descriptor
		says  string
	}{
		"bomb": {func(o *layout) ocispec.Descriptor {
			layer := o.blob(ocispec.MediaTypeImageLayerGzip, bomb(t, 1200<<20))
			return o.manifest(ocispec.MediaTypeImageManifest, o.blob(ocispec.MediaTypeImageConfig, ordinary("wasi/wasm", "/a.wasm", []byte("x"))), nil, layer)
		}, "unpacks to too much"},
		"deep indexes": {func(o *layout) ocispec.Descriptor {
			top := o.manifest(ocispec.MediaTypeImageManifest, o.blob(ocispec.MediaTypeImageConfig, ordinary("wasi/wasm", "/a.wasm")), nil)
			for range 100 {
				top = o.blob(ocispec.MediaTypeImageIndex, ocispec.Index{MediaType: ocispec.MediaTypeImageIndex, Manifests: []ocispec.Descriptor{top}})
			}
			return top
		}, "indexes lie more than 4 deep"},
		"huge manifest": {func(o *layout) ocispec.Descriptor {
			return o.manifest(ocispec.MediaTypeImageManifest, o.blob(ocispec.MediaTypeImageConfig, ordinary("wasi/wasm", "/a.wasm")),
				map[string]string{"a": strings.Repeat("a", 9<<20)})
		}, "more than the 8388608 that Wherry takes"},
		"many layers": {func(o *layout) ocispec.Descriptor {
			layer := o.blob(ocispec.MediaTypeImageLayer, tarOf(t, map[string][]byte{"x": nil}))
			layers := make([]ocispec.Descriptor, 1000)
			for i := range layers {
				layers[i] = layer
			}
			return o.manifest(ocispec.MediaTypeImageManifest, o.blob(ocispec.MediaTypeImageConfig, ordinary("wasi/wasm", "/a.wasm")), nil, layers...)
		}, "has 1000 layers, more than the 512"},
		"claimed layer": {func(o *layout) ocispec.Descriptor {
			return o.manifest(ocispec.MediaTypeImageManifest, o.blob(ocispec.MediaTypeImageConfig, ordinary("wasi/wasm", "/a.wasm", []byte("x"))), nil,
				ocispec.Descriptor{MediaType: ocispec.MediaTypeImageLayer, Digest: digest.FromString("x"), Size: 1 << 50})
		}, "the archive is not complete: blob sha256:"},
	} {
		t.Run(name, func(t *testing.T) {
			o := newLayout(t)
			file := o.archive("docker.io/library/hostile:latest", c.image(o))
			_, stderr, code := l.Run("load", "-i", file)
			if code == 0 {
				_, stderr, code = l.Run("run", "--rm", "hostile")
			}
			if code == 0 || !strings.Contains(stderr, c.says) || strings.Count(stderr, "\n") != 1 {
				t.Errorf("exit code %d, %.500q; want a line with %q", code, stderr, c.says)
			}
			l.Run("rmi", "-f", "hostile")
		})
	}
	l.Must("image", "prune", "-af")
	if after := diskUse(t, l.Data()); after > before+8<<20 {
		t.Errorf("the engine's folder has %d bytes, %d before", after, before)
	}
}

// diskUse is the size of all files below a folder, in bytes.
func diskUse(t *testing.T, dir string) (size int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fi, err := d.Info()
		if err == nil && fi.Mode().IsRegular() {
			size += fi.Size()
		}
		return nil // it went meanwhile
	})
	if err != nil {
		t.Fatal(err)
	}
	return size
}

// Clients that send without end, or take nothing, cost the engine little, and
// keep no one from anything.
func testHostileClients(t *testing.T, l *limits) {
	dial := func(t *testing.T) net.Conn {
		t.Helper()
		c, err := net.Dial("unix", l.Socket())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
			t.Fatal(err)
		}
		return c
	}
	before := l.resident(t)
	// endless sends a head and then text until the server has had enough, and
	// gives what it answered and how much it took.
	endless := func(t *testing.T, head, text string) (answer string, taken int) {
		t.Helper()
		c := dial(t)
		answers := make(chan string)
		go func() {
			b, _ := io.ReadAll(io.LimitReader(c, 4096)) // cut off as often as not
			answers <- string(b)
		}()
		if _, err := io.WriteString(c, head); err != nil {
			t.Fatal(err)
		}
		for taken < 256<<20 {
			n, err := io.WriteString(c, text)
			if taken += n; err != nil {
				break
			}
		}
		c.Close()
		return <-answers, taken
	}
	long := strings.Repeat("a", 64<<10)
	t.Run("headers", func(t *testing.T) {
		if answer, taken := endless(t, "GET /_ping HTTP/1.1\r\nHost: x\r\nX: ", long); taken > 8<<20 || !strings.HasPrefix(answer, "HTTP/1.1 431") {
			t.Errorf("it took %d bytes and answered %q", taken, answer)
		}
	})
	for _, path := range []string{"/containers/create", "/auth", "/volumes/create"} {
		t.Run(path, func(t *testing.T) {
			head := "POST " + path + " HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
			chunk := fmt.Sprintf("%x\r\n%s\r\n", len(long), long)
			answer, taken := endless(t, head+"a\r\n{\"Image\":\"\r\n", chunk)
			if taken > 32<<20 || !strings.HasPrefix(answer, "HTTP/1.1 4") {
				t.Errorf("it took %d bytes and answered %q", taken, answer)
			}
		})
	}
	t.Run("half requests", func(t *testing.T) {
		for range 300 {
			if _, err := io.WriteString(dial(t), "GET /_pi"); err != nil {
				t.Fatal(err)
			}
		}
		l.lively(t)
	})
	t.Run("deaf reader", func(t *testing.T) {
		file := guest(t, `(memory (export "memory") 2)
			(func $main (result i32)
				(i32.store (i32.const 0) (i32.const 1024)) (i32.store (i32.const 4) (i32.const 60000))
				(memory.fill (i32.const 1024) (i32.const 120) (i32.const 60000))
				(loop $more (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16))) (br $more))
				(i32.const 0))`)
		id := l.detach(t, []string{"--log-opt", "max-size=1m", "--log-opt", "max-file=2"}, file)
		for _, request := range []string{"GET /containers/" + id + "/logs?follow=1&stdout=1", "POST /containers/" + id + "/attach?stream=1&stdout=1"} {
			for range 8 {
				if _, err := io.WriteString(dial(t), request+" HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
					t.Fatal(err)
				}
			}
		}
		l.lively(t)
		begun := time.Now()
		l.Must("stop", "-t", "1", id)
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("stop took %v", took)
		}
	})
	if after := l.resident(t); after > before+64<<10 {
		t.Errorf("the engine has %d KiB, %d before", after, before)
	}
}
