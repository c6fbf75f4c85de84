// Package wherry gives tests the built programs and engines of their own: a
// daemon on folders and a socket that nothing else uses, gone when the test
// ends. It drives them as a user does, by the command line, and must know
// nothing of what is inside.
package wherry

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// Root is the top of the source tree.
func Root(t testing.TB) string {
	t.Helper()
	_, file, _, ok := runtime.Caller(0)
	if !ok || !filepath.IsAbs(file) {
		t.Fatal("the tests' own source file can't be found; run them without -trimpath")
	}
	return filepath.Join(filepath.Dir(file), "..", "..", "..")
}

var build struct {
	once sync.Once
	out  []byte
	err  error
}

// Programs builds the programs as `make build` does, at most once a test
// process and one process at a time, and returns their folder. Nothing is
// linked anew where they are up to date.
func Programs(t testing.TB) string {
	t.Helper()
	root := Root(t)
	build.once.Do(func() {
		lock, err := os.Open(filepath.Join(root, "Makefile"))
		if err != nil {
			build.err = err
			return
		}
		defer lock.Close()
		if build.err = unix.Flock(int(lock.Fd()), unix.LOCK_EX); build.err != nil {
			return
		}
		cmd := exec.Command("make", "-s", "build")
		cmd.Dir = root
		// The race detector and coverage are the test's, not the programs'.
		cmd.Env = append(os.Environ(), "GOFLAGS=-buildvcs=false")
		build.out, build.err = cmd.CombinedOutput()
	})
	if build.err != nil {
		t.Fatalf("make build: %v\n%s", build.err, build.out)
	}
	return filepath.Join(root, "bin")
}
