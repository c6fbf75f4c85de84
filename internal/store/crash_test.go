package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"wherry/internal/image"
	"wherry/internal/testutil/registry"
)

// The child of TestKilledAnywhere: this program again, with the store's folder
// and the images' names in its environment.
const (
	crashRoot = "WHERRY_TEST_CRASH_ROOT"
	crashRefs = "WHERRY_TEST_CRASH_REFS"
)

func TestMain(m *testing.M) {
	if root := os.Getenv(crashRoot); root != "" {
		os.Exit(crashChild(root, strings.Fields(os.Getenv(crashRefs))))
	}
	os.Exit(m.Run())
}

// crashChild pulls, removes and prunes in parallel until it is killed or its
// standard input ends.
func crashChild(root string, refs []string) int {
	s, err := Open(root)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println("ready")
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	var wg sync.WaitGroup
	fail := make(chan error, 16)
	for range 3 {
		wg.Go(func() {
			for ctx.Err() == nil {
				ref := refs[rand.IntN(len(refs))]
				img, err := s.Pull(ctx, PullOptions{Ref: ref})
				if err == nil && rand.IntN(2) == 0 {
					err = s.Hold(ctx, "c", img)
					if err == nil {
						_, err = s.Tree(ctx, img)
					}
					// Removed under our hands before the hold stood.
					if errdefs.IsDataLoss(err) {
						err = nil
					}
				}
				if err != nil && ctx.Err() == nil && !errdefs.IsNotFound(err) && !errdefs.IsAlreadyExists(err) {
					fail <- fmt.Errorf("pull %s: %w", ref, err)
				}
			}
		})
	}
	// Pauses let some images live for a while.
	pause := func() bool {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(time.Duration(rand.IntN(60)) * time.Millisecond):
			return true
		}
	}
	wg.Go(func() {
		for pause() {
			_, err := s.Remove(ctx, refs[rand.IntN(len(refs))], true, false)
			if err != nil && ctx.Err() == nil && !errdefs.IsNotFound(err) {
				fail <- fmt.Errorf("remove: %w", err)
			}
		}
	})
	wg.Go(func() {
		for pause() {
			if _, err := s.Prune(ctx, PruneOptions{All: rand.IntN(8) == 0}); err != nil && ctx.Err() == nil {
				fail <- fmt.Errorf("prune: %w", err)
			}
		}
	})
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	select {
	case err := <-fail:
		fmt.Fprintln(os.Stderr, err)
		return 1
	case <-done:
		return 0
	}
}

// TestKilledAnywhere kills a process that pulls, removes and prunes, again and
// again; after each time every image runs and every blob verifies. It takes
// three seconds, or as long as WHERRY_STRESS says ("60s").
func TestKilledAnywhere(t *testing.T) {
	span := 3 * time.Second
	if v := os.Getenv("WHERRY_STRESS"); v != "" {
		var err error
		if span, err = time.ParseDuration(v); err != nil {
			t.Fatal(err)
		}
	}
	r := registry.Start(t, registry.Options{})
	src := openStore(t)
	var refs []string
	shared := strings.Repeat("shared ", 30_000)
	for i := range 4 {
		ref := r.Host + "/crash:" + strconv.Itoa(i)
		pushed(t, src, ref, nil, "app.wasm", wasmWith(strconv.Itoa(i)), "data", strconv.Itoa(i%2)+shared)
		refs = append(refs, ref)
	}
	artifact(t, src, r.Host+"/crash:art", wasm)
	if err := src.Push(context.Background(), PushOptions{Ref: r.Host + "/crash:art"}); err != nil {
		t.Fatal(err)
	}
	refs = append(refs, r.Host+"/crash:art")

	root := t.TempDir()
	// A busy machine may need longer until a pull gets through between kills.
	begin := time.Now()
	kills, listed := 0, 0
	for time.Since(begin) < span || listed == 0 && time.Since(begin) < time.Minute {
		killOne(t, root, refs)
		kills++
		listed += checkStore(t, root)
		if t.Failed() {
			return
		}
	}
	if listed == 0 {
		t.Error("no image was there after any kill: nothing was shown")
	}
	t.Logf("%d kills; %d images checked in between", kills, listed)
}

// killOne runs the child for a random while and kills it.
func killOne(t *testing.T, root string, refs []string) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), crashRoot+"="+root, crashRefs+"="+strings.Join(refs, " "))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(stdout).ReadString('\n')
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	if line != "ready\n" {
		<-ended
		t.Fatalf("the store did not open: %s", stderr.String())
	}
	select {
	case err := <-ended:
		t.Fatalf("the child ended by itself: %v: %s", err, stderr.String())
	case <-time.After(time.Duration(rand.IntN(300)) * time.Millisecond):
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil {
		t.Fatal("the child was not killed")
	}
	if stderr.Len() > 0 {
		t.Fatalf("the child said: %s", stderr.String())
	}
}

// checkStore checks that every image can run and every blob is whole, and
// counts the images.
func checkStore(t *testing.T, root string) int {
	t.Helper()
	s, err := Open(root)
	if err != nil {
		t.Fatalf("after a kill: %v", err)
	}
	defer s.Close()
	ctx := s.context(context.Background())
	list, err := s.List(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, img := range list {
		if img.Broken != nil {
			t.Errorf("after a kill %v is broken: %v", img.Names, img.Broken)
			continue
		}
		tree, err := s.Tree(ctx, img)
		if err != nil {
			t.Errorf("after a kill: %v", err)
			continue
		}
		p, err := image.ResolveProgram(img.Command(nil, nil), "/", "", func(name string) (*os.File, error) {
			return os.Open(filepath.Join(tree.Path, name))
		})
		if err != nil {
			t.Errorf("after a kill the program of %v: %v", img.Names, err)
			continue
		}
		p.File.Close()
		if tree.Digests[p.Path] == "" {
			t.Errorf("after a kill the program of %v has no digest", img.Names)
		}
	}
	if err := s.content.Walk(ctx, func(i content.Info) error {
		return s.verify(ctx, ocispec.Descriptor{Digest: i.Digest, Size: i.Size})
	}); err != nil {
		t.Errorf("after a kill: %v", err)
	}
	// Nothing that metadata does not know is left on the disk.
	known := 0
	if err := s.content.Walk(ctx, func(content.Info) error { known++; return nil }); err != nil {
		t.Error(err)
	}
	files, err := os.ReadDir(filepath.Join(root, "content", "blobs", "sha256"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if len(files) != known {
		t.Errorf("%d blobs on the disk, %d known", len(files), known)
	}
	if left, err := os.ReadDir(filepath.Join(root, "tmp")); err != nil || len(left) > 0 {
		t.Errorf("left in tmp: %v, %v", left, err)
	}
	return len(list)
}
