package store

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/containerd/errdefs"
	digest "github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"wherry/internal/image"
	"wherry/internal/testutil/registry"
)

func TestSaveLoad(t *testing.T) {
	ctx := context.Background()
	src := openStore(t)
	plain := plainImage(t, src, "plain", image.DefaultPlatform, "app.wasm", wasm)
	art := artifact(t, src, "art:2", wasm)
	var b bytes.Buffer
	if err := src.Save(ctx, []string{"plain", "art:2"}, "wasi/wasm32", &b); err != nil {
		t.Fatal(err)
	}
	if names := tarNames(t, b.Bytes()); !strings.Contains(names, "manifest.json") || !strings.Contains(names, "oci-layout") {
		t.Errorf("the archive holds %s", names)
	}
	for name, archive := range map[string][]byte{"plain": b.Bytes(), "gzip": gzipped(t, b.Bytes())} {
		dst := openStore(t)
		var events []Event
		names, err := dst.Load(ctx, bytes.NewReader(archive), false, func(e Event) { events = append(events, e) })
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := strings.Join(names, " "); got != "plain:latest art:2" {
			t.Errorf("loaded %s", got)
		}
		if text := statuses(events); !strings.Contains(text, "Loaded image: plain:latest") {
			t.Errorf("load said %q", text)
		}
		for ref, want := range map[string]digest.Digest{"plain": plain.ID, "art:2": art.ID} {
			got, err := dst.Get(ctx, ref, "")
			if err != nil || got.ID != want {
				t.Errorf("%s = %v, %v; want %v", ref, got.ID, err, want)
			}
			// Nothing needs the load's lease any more.
			if err := dst.Collect(ctx); err != nil {
				t.Fatal(err)
			}
			if _, err := dst.Tree(ctx, got); err != nil {
				t.Error(err)
			}
		}
	}
	// By ID an image is saved without its name.
	b.Reset()
	if err := src.Save(ctx, []string{plain.ID.String()}, "", &b); err != nil {
		t.Fatal(err)
	}
	names, err := openStore(t).Load(ctx, &b, true, nil)
	if err != nil || len(names) != 1 || names[0] != plain.ID.String() {
		t.Errorf("loaded %v, %v", names, err)
	}
}

func tarNames(t *testing.T, b []byte) string {
	t.Helper()
	var names []string
	tr := tar.NewReader(bytes.NewReader(b))
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return strings.Join(names, " ")
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
	}
}

func TestLoadOldDockerArchive(t *testing.T) {
	s := openStore(t)
	ctx := context.Background()
	layer := layerTar(t, "app.wasm", wasm)
	config := mustJSON(t, ocispec.Image{
		Platform: ocispec.Platform{OS: "wasi", Architecture: "wasm32"},
		Config:   ocispec.ImageConfig{Cmd: []string{"/app.wasm"}},
		RootFS:   ocispec.RootFS{Type: "layers", DiffIDs: []digest.Digest{digest.FromBytes(layer)}},
	})
	archive := layerTar(t, "abc.json", string(config), "abc/layer.tar", string(layer),
		"manifest.json", `[{"Config":"abc.json","RepoTags":["old:1"],"Layers":["abc/layer.tar"]}]`)
	names, err := s.Load(ctx, bytes.NewReader(archive), false, nil)
	if err != nil || len(names) != 1 || names[0] != "old:1" {
		t.Fatalf("loaded %v, %v", names, err)
	}
	img, err := s.Get(ctx, "old:1", "wasi/wasm")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Tree(ctx, img); err != nil {
		t.Error(err)
	}
}

func TestLoadNonsense(t *testing.T) {
	s := openStore(t)
	ctx := context.Background()
	var cut bytes.Buffer
	z := gzip.NewWriter(&cut)
	_, _ = z.Write(layerTar(t, "x", strings.Repeat("x", 1000)))
	z.Close()
	for name, b := range map[string][]byte{
		"empty":      nil,
		"text":       []byte("hello"),
		"other tar":  layerTar(t, "hello", "x"),
		"cut":        cut.Bytes()[:cut.Len()-20],
		"no blobs":   layerTar(t, "manifest.json", `[{"Config":"c.json","RepoTags":["x:1"],"Layers":[]}]`),
		"lost blob":  layerTar(t, "oci-layout", `{"imageLayoutVersion":"1.0.0"}`, "index.json", `{"schemaVersion":2,"manifests":[{"mediaType":"`+ocispec.MediaTypeImageManifest+`","digest":"sha256:`+strings.Repeat("a", 64)+`","size":10}]}`),
		"no digest":  layerTar(t, "oci-layout", `{"imageLayoutVersion":"1.0.0"}`, "index.json", `{"schemaVersion":2,"manifests":[{"mediaType":"`+ocispec.MediaTypeImageManifest+`","digest":"../../x","size":10}]}`),
		"no entries": layerTar(t, "oci-layout", `{"imageLayoutVersion":"1.0.0"}`, "index.json", `{"schemaVersion":2,"manifests":[]}`),
	} {
		names, err := s.Load(ctx, bytes.NewReader(b), false, nil)
		if !errdefs.IsInvalidArgument(err) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: loaded %v, error %v", name, names, err)
		}
	}
	if list, err := s.List(ctx); err != nil || len(list) != 0 {
		t.Errorf("images after it: %v, %v", list, err)
	}
}

func TestRemove(t *testing.T) {
	s := openStore(t)
	ctx := context.Background()
	img := plainImage(t, s, "a", image.DefaultPlatform, "app.wasm", wasm)
	if err := s.Tag(ctx, "a", "b:2"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Remove(ctx, img.ID.String(), false, false); !errdefs.IsConflict(err) {
		t.Errorf("remove by ID of an image with two names: %v", err)
	}
	tree, err := s.Tree(ctx, img)
	if err != nil {
		t.Fatal(err)
	}
	if u, err := s.DiskUsage(ctx); err != nil || len(u.Images) != 1 || u.Images[0].Tree == 0 || u.Images[0].Tree != u.Trees || u.Images[0].Shared != 0 {
		t.Errorf("usage of one image = %+v, %v", u, err)
	}
	out, err := s.Remove(ctx, "a", false, false)
	if err != nil || len(out) != 1 || out[0].Untagged != "a:latest" {
		t.Errorf("remove of a name: %+v, %v", out, err)
	}
	if _, err := os.Stat(tree.Path); err != nil {
		t.Error("the tree went with the first name")
	}
	// What a container holds outlives the last name.
	if err := s.Hold(ctx, "container", img); err != nil {
		t.Fatal(err)
	}
	out, err = s.Remove(ctx, "b:2", false, false)
	if err != nil || len(out) != 2 || out[0].Untagged != "b:2" || out[1].Deleted != img.ID.String() {
		t.Errorf("remove of the last name: %+v, %v", out, err)
	}
	if _, err := s.Tree(ctx, img); err != nil {
		t.Errorf("a held image's tree: %v", err)
	}
	if users, err := s.Holds(ctx); err != nil || len(users) != 1 || users[0] != "container" {
		t.Errorf("holds = %v, %v", users, err)
	}
	if u, err := s.DiskUsage(ctx); err != nil || u.Trees == 0 || u.Reclaimable > u.Content {
		t.Errorf("usage of a held image = %+v, %v: its tree can't be reclaimed", u, err)
	}
	if err := s.Release(ctx, "container"); err != nil {
		t.Fatal(err)
	}
	if u, err := s.DiskUsage(ctx); err != nil || u.Reclaimable != u.Content+u.Trees {
		t.Errorf("usage of an image that nothing holds = %+v, %v: all can be reclaimed", u, err)
	}
	if err := s.Collect(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(tree.Path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the tree is still there: %v", err)
	}
	if u, err := s.DiskUsage(ctx); err != nil || u.Content != 0 || u.Trees != 0 {
		t.Errorf("usage afterwards = %+v, %v", u, err)
	}
	if _, err := s.Remove(ctx, "b:2", true, false); !errdefs.IsNotFound(err) {
		t.Errorf("second remove: %v", err)
	}
}

func TestPrune(t *testing.T) {
	s := openStore(t)
	ctx := context.Background()
	old := plainImage(t, s, "a", image.DefaultPlatform, "old.wasm", wasm)
	plainImage(t, s, "a", image.DefaultPlatform, "new.wasm", wasm)
	held := plainImage(t, s, "held", image.DefaultPlatform, "held.wasm", wasm)
	if err := s.Hold(ctx, "c", held); err != nil {
		t.Fatal(err)
	}
	report, err := s.Prune(ctx, PruneOptions{})
	if err != nil || len(report.ImagesDeleted) != 1 || report.ImagesDeleted[0].Deleted != old.ID.String() || report.SpaceReclaimed == 0 {
		t.Errorf("prune = %+v, %v", report, err)
	}
	report, err = s.Prune(ctx, PruneOptions{All: true})
	if err != nil || len(report.ImagesDeleted) != 2 {
		t.Errorf("prune of all = %+v, %v", report, err)
	}
	if list, err := s.List(ctx); err != nil || len(list) != 1 || list[0].ID != held.ID {
		t.Errorf("left: %v, %v", list, err)
	}
}

func TestCorruptBlob(t *testing.T) {
	r := registry.Start(t, registry.Options{})
	ctx := context.Background()
	s := openStore(t)
	ref := r.Host + "/x"
	img := pushed(t, s, ref, nil, "app.wasm", wasm)
	for name, d := range map[string]digest.Digest{"layer": img.Manifest.Layers[0].Digest, "config": img.Manifest.Config.Digest, "manifest": img.ID} {
		for how, damage := range map[string]func(b []byte) []byte{
			"flipped": func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
			"cut":     func(b []byte) []byte { return b[:len(b)/2] },
		} {
			file := filepath.Join(s.Root(), "content", "blobs", "sha256", d.Encoded())
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(file, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, damage(b), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err = s.Tree(ctx, img)
			if name != "layer" {
				_, err = s.Get(ctx, ref, "")
			}
			if !errdefs.IsDataLoss(err) || !strings.Contains(err.Error(), d.String()) || !strings.Contains(err.Error(), "image again") || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s %s: %v", how, name, err)
			}
			if err := s.Save(ctx, []string{ref}, "", io.Discard); !errdefs.IsDataLoss(err) {
				t.Errorf("save with a %s %s: %v", how, name, err)
			}
			if list, err := s.List(ctx); err != nil || len(list) != 1 || (list[0].Broken == nil) != (name == "layer") {
				t.Errorf("list with a %s %s: %v, %v", how, name, list, err)
			}
			// The cure is the one that the message names.
			if _, err := s.Pull(ctx, PullOptions{Ref: ref}); err != nil {
				t.Fatalf("pull with a %s %s: %v", how, name, err)
			}
			got, err := s.Get(ctx, ref, "")
			if err != nil {
				t.Fatal(err)
			}
			if err := s.verifyAll(s.context(ctx), got.Target); err != nil {
				t.Errorf("after the cure of a %s %s: %v", how, name, err)
			}
			tree, err := s.Tree(ctx, got)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.RemoveAll(filepath.Dir(tree.Path)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestFullDisk(t *testing.T) {
	s := openStore(t)
	err := s.explain(fmt.Errorf("can't write: %w", &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}))
	if !errdefs.IsResourceExhausted(err) || !strings.Contains(err.Error(), "is full: make room") {
		t.Errorf("explain = %v", err)
	}
}

func TestHistory(t *testing.T) {
	s := openStore(t)
	ctx := context.Background()
	img := plainImage(t, s, "x", image.DefaultPlatform, "app.wasm", wasm)
	h, err := s.History(ctx, "x", "")
	if err != nil || len(h) != 2 {
		t.Fatalf("history = %+v, %v", h, err)
	}
	if h[0].ID != img.ID.String() || h[0].Tags[0] != "x:latest" || h[0].Size != 0 || h[1].CreatedBy != "COPY . /" || h[1].Size != img.Manifest.Layers[0].Size {
		t.Errorf("history = %+v", h)
	}
}
