// Command busy does much of what a guest may do: memory that comes and goes,
// goroutines, timers, and every call for files, in each folder that it is given.
package main

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("done")
}

func run(folders []string) error {
	churn()
	// A file of the image, changed.
	if err := os.Chtimes(os.Args[0], time.Unix(1, 0), time.Unix(2, 0)); err != nil {
		return err
	}
	for _, dir := range folders {
		if err := files(filepath.Join(dir, "busy")); err != nil {
			return fmt.Errorf("%s: %w", dir, err)
		}
	}
	return nil
}

// churn allocates some 300 MiB, of which little is alive at a time.
func churn() {
	var wg sync.WaitGroup
	for range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			keep := make([][]byte, 16)
			for i := range 300 {
				keep[i%len(keep)] = make([]byte, 128<<10)
				if i%100 == 0 {
					runtime.GC()
					time.Sleep(time.Millisecond)
				}
			}
		}()
	}
	wg.Wait()
}

func files(dir string) error {
	a, b, link := filepath.Join(dir, "a"), filepath.Join(dir, "b"), filepath.Join(dir, "link")
	text := make([]byte, 100<<10)
	if _, err := rand.Read(text); err != nil {
		return err
	}
	when := time.Unix(1000000000, 0)
	for _, step := range []func() error{
		func() error { return os.MkdirAll(filepath.Join(dir, "x", "y"), 0o755) },
		func() error { return os.WriteFile(a, text, 0o600) },
		func() error { return appendTo(a, text) },
		func() error { return os.Truncate(a, 1000) },
		func() error { return os.Chtimes(a, when, when) },
		func() error { return os.Chtimes(filepath.Join(dir, "x"), when, when) },
		func() error { return os.Rename(a, b) },
		func() error { return os.Link(b, a) },
		func() error { return os.Symlink("b", link) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	target, err := os.Readlink(link)
	if err != nil {
		return err
	}
	st, err := os.Stat(link)
	if err != nil {
		return err
	}
	names, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if target != "b" || st.Size() != 1000 || !st.ModTime().Equal(when) || len(names) != 4 {
		return fmt.Errorf("link to %q, %d bytes, of %v, among %d", target, st.Size(), st.ModTime(), len(names))
	}
	return os.RemoveAll(dir)
}

func appendTo(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	if _, err := f.Write(text); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return f.Close()
}
