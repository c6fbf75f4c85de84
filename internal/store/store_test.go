package store

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	digest "github.com/opencontainers/go-digest"

	"wherry/internal/image"
)

func TestCreateGetTree(t *testing.T) {
	s := openStore(t)
	ctx := context.Background()
	made := plainImage(t, s, "hello", image.DefaultPlatform, "app.wasm", wasm, "etc/x", "text")
	for _, name := range []string{"hello", "hello:latest", "docker.io/library/hello", made.ID.String(), made.ID.Encoded()[:12], "hello@" + made.ID.String()} {
		img, err := s.Get(ctx, name, "wasi/wasm32")
		if err != nil {
			t.Fatalf("Get(%s): %v", name, err)
		}
		if img.ID != made.ID || img.Name != "docker.io/library/hello:latest" || len(img.Names) != 1 || img.Names[0] != "hello:latest" {
			t.Errorf("Get(%s) = %+v", name, img)
		}
	}
	if _, err := s.Get(ctx, "other", ""); !errdefs.IsNotFound(err) || !strings.Contains(err.Error(), "No such image: other:latest") {
		t.Errorf("Get of a missing image: %v", err)
	}
	if _, err := s.Get(ctx, "hello", "linux/amd64"); !errdefs.IsInvalidArgument(err) {
		t.Errorf("Get of a wrong platform: %v", err)
	}
	tree, err := s.Tree(ctx, made)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(tree.Path, "app.wasm"))
	if err != nil || string(b) != wasm {
		t.Errorf("app.wasm = %q, %v", b, err)
	}
	if got := tree.Digests["/app.wasm"]; got != digest.FromString(wasm) || len(tree.Digests) != 1 {
		t.Errorf("digests = %v", tree.Digests)
	}
	again, err := s.Tree(ctx, made)
	if err != nil || again.Path != tree.Path || again.Size != tree.Size || again.Size == 0 {
		t.Errorf("second Tree = %+v, %v; want %+v", again, err, tree)
	}
}

func TestArtifactTree(t *testing.T) {
	s := openStore(t)
	img := artifact(t, s, "app", wasm)
	tree, err := s.Tree(context.Background(), img)
	if err != nil {
		t.Fatal(err)
	}
	if tree.Program != "/module.wasm" || tree.Digests["/module.wasm"] != digest.FromString(wasm) {
		t.Errorf("tree = %+v", tree)
	}
	if got := strings.Join(img.Command(nil, []string{"a"}), " "); got != "/module.wasm a" {
		t.Errorf("command = %q", got)
	}
}

func TestOneProcess(t *testing.T) {
	s := openStore(t)
	_, err := Open(s.Root())
	if !errdefs.IsUnavailable(err) || !strings.Contains(err.Error(), "process "+strconv.Itoa(os.Getpid())) {
		t.Errorf("second Open: %v", err)
	}
}

func TestDangling(t *testing.T) {
	s := openStore(t)
	ctx := context.Background()
	one := plainImage(t, s, "x", image.DefaultPlatform, "a.wasm", wasm)
	two := plainImage(t, s, "x", image.DefaultPlatform, "b.wasm", wasm)
	list, err := s.List(ctx)
	if err != nil || len(list) != 2 {
		t.Fatalf("List = %v, %v", list, err)
	}
	old, err := s.Get(ctx, one.ID.String(), "")
	if err != nil || len(old.Names) != 0 || old.Name != "" {
		t.Errorf("the image that lost its name: %+v, %v", old, err)
	}
	if err := s.Tag(ctx, one.ID.Encoded()[:10], "y:1"); err != nil {
		t.Fatal(err)
	}
	if img, err := s.Get(ctx, "y:1", ""); err != nil || img.ID != one.ID {
		t.Errorf("y:1 = %v, %v", img, err)
	}
	if img, err := s.Get(ctx, "x", ""); err != nil || img.ID != two.ID {
		t.Errorf("x = %v, %v", img, err)
	}
	if recs, err := s.Images().List(ctx); err != nil || len(recs) != 2 {
		t.Errorf("records = %v, %v; the dangling one should be gone", recs, err)
	}
}
