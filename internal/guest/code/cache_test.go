//go:build linux

package code

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
)

func key(text string) Key {
	return Key{Module: digest.FromString(text), Fingerprint: "engine-1"}
}

func newCache(t *testing.T) Cache {
	t.Helper()
	return Cache{Dir: filepath.Join(t.TempDir(), "code")}
}

// writes is a compiler that writes text.
func writes(text string) Compiler {
	return func(_ context.Context, _, out *os.File) error {
		_, err := io.WriteString(out, text)
		return err
	}
}

func content(t *testing.T, f *os.File) string {
	t.Helper()
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestCompileOnce(t *testing.T) {
	c := newCache(t)
	var compiles atomic.Int32
	var wg sync.WaitGroup
	for range 20 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			f, err := c.Compile(t.Context(), key("a"), nil, func(ctx context.Context, in, out *os.File) error {
				compiles.Add(1)
				return writes("code of a")(ctx, in, out)
			})
			if err != nil {
				t.Error(err)
				return
			}
			if got := content(t, f); got != "code of a" {
				t.Errorf("got %q", got)
			}
		}()
	}
	wg.Wait()
	if n := compiles.Load(); n != 1 {
		t.Errorf("compiled %d times", n)
	}
	for _, other := range []Key{key("b"), {Module: key("a").Module, Fingerprint: "engine-2"}} {
		if _, ok, err := c.Lookup(other); ok || err != nil {
			t.Errorf("%v was found: %v", other, err)
		}
	}
}

func TestFailedCompileLeavesNothing(t *testing.T) {
	c := newCache(t)
	boom := errors.New("boom")
	_, err := c.Compile(t.Context(), key("a"), nil, func(ctx context.Context, in, out *os.File) error {
		if err := writes("half")(ctx, in, out); err != nil {
			return err
		}
		return boom
	})
	if !errors.Is(err, boom) {
		t.Errorf("got %v", err)
	}
	names, err := filepath.Glob(filepath.Join(c.Dir, "*.code"))
	if err != nil {
		t.Fatal(err)
	}
	hidden, err := filepath.Glob(filepath.Join(c.Dir, ".new-*"))
	if err != nil || len(names)+len(hidden) != 0 {
		t.Errorf("left: %v %v, %v", names, hidden, err)
	}
}

func TestUntrustedCode(t *testing.T) {
	fill := func(t *testing.T) (Cache, string) {
		t.Helper()
		c := newCache(t)
		f, err := c.Compile(t.Context(), key("a"), nil, writes("code"))
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		return c, filepath.Join(c.Dir, key("a").file())
	}
	for name, spoil := range map[string]func(c Cache, path string) error{
		"writable file":   func(_ Cache, path string) error { return os.Chmod(path, 0o620) },
		"writable folder": func(c Cache, _ string) error { return os.Chmod(c.Dir, 0o777) },
		"empty":           func(_ Cache, path string) error { return errors.Join(os.Chmod(path, 0o600), os.Truncate(path, 0)) },
		"link": func(_ Cache, path string) error {
			return errors.Join(os.Rename(path, path+".x"), os.Symlink(path+".x", path))
		},
		"pipe": func(_ Cache, path string) error {
			return errors.Join(os.Remove(path), os.Mkdir(path, 0o700))
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, path := fill(t)
			if err := spoil(c, path); err != nil {
				t.Fatal(err)
			}
			f, ok, err := c.Lookup(key("a"))
			if ok {
				f.Close()
			}
			if ok || err == nil {
				t.Errorf("lookup gave %v, %v; want it passed over with a reason", ok, err)
			}
		})
	}
	t.Run("owner", func(t *testing.T) {
		if os.Geteuid() != 0 {
			t.Skip("only root can give a file away")
		}
		c, path := fill(t)
		if err := os.Chown(path, 12345, 12345); err != nil {
			t.Fatal(err)
		}
		if _, ok, err := c.Lookup(key("a")); ok || err == nil || !strings.Contains(err.Error(), "12345") {
			t.Errorf("lookup gave %v, %v", ok, err)
		}
	})
	t.Run("unsafe folder", func(t *testing.T) {
		c := newCache(t)
		if err := os.Mkdir(c.Dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(c.Dir, 0o777); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Compile(t.Context(), key("a"), nil, writes("code")); err == nil {
			t.Error("code was put where anybody can write")
		}
	})
}

func TestLeastRecentlyUsedGoesFirst(t *testing.T) {
	c := newCache(t)
	c.MaxBytes = 2500
	old := time.Now().Add(-time.Hour)
	for i := range 4 {
		k := key(fmt.Sprint(i))
		f, err := c.Compile(t.Context(), k, nil, writes(strings.Repeat("x", 1000)))
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		if err := os.Chtimes(filepath.Join(c.Dir, k.file()), old, old); err != nil {
			t.Fatal(err)
		}
		old = old.Add(time.Minute)
		// The first is used all the time.
		if f, ok, err := c.Lookup(key("0")); ok {
			f.Close()
		} else {
			t.Fatalf("after %d: the entry in use is gone: %v", i, err)
		}
	}
	var kept []int
	for i := range 4 {
		if f, ok, _ := c.Lookup(key(fmt.Sprint(i))); ok {
			f.Close()
			kept = append(kept, i)
		}
	}
	if fmt.Sprint(kept) != "[0 3]" {
		t.Errorf("kept %v, want the one in use and the newest", kept)
	}
}

func TestWaitingForAnothersCompileEndsWithTheContext(t *testing.T) {
	c := newCache(t)
	inside, finish := make(chan struct{}), make(chan struct{})
	done := make(chan error, 1)
	go func() {
		f, err := c.Compile(context.Background(), key("a"), nil, func(ctx context.Context, in, out *os.File) error {
			close(inside)
			<-finish
			return writes("code")(ctx, in, out)
		})
		if err == nil {
			f.Close()
		}
		done <- err
	}()
	<-inside
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Compile(ctx, key("a"), nil, writes("other")); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(finish)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestFingerprintIsAskedOnce(t *testing.T) {
	c := newCache(t)
	asked := 0
	for range 3 {
		fp, err := c.Fingerprint("wasmtime", func() (string, error) { asked++; return "fp", nil })
		if err != nil || fp != "fp" {
			t.Fatalf("%q, %v", fp, err)
		}
	}
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
	// An answer that others could have written does not count.
	path := filepath.Join(c.Dir, ".fingerprint-wasmtime")
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Fingerprint("wasmtime", func() (string, error) { asked++; return "fp", nil }); err != nil || asked != 2 {
		t.Errorf("asked %d times, %v", asked, err)
	}
	if _, err := c.Fingerprint("../x", func() (string, error) { return "", nil }); err == nil {
		t.Error("a path was taken for an engine's name")
	}
}
