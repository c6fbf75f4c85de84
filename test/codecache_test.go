package test

import (
	"maps"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"wherry/internal/testutil/wherry"
)

// compiled lists the entries of the compiled-code cache with their inodes:
// compiling again would make new ones.
func compiled(t *testing.T, e *wherry.Engine) map[string]uint64 {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(e.Data(), "code", "*.code"))
	if err != nil {
		t.Fatal(err)
	}
	entries := make(map[string]uint64)
	for _, path := range paths {
		st, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		entries[filepath.Base(path)] = st.Sys().(*syscall.Stat_t).Ino
	}
	return entries
}

// A module is compiled once for each engine: not for its second start, nor
// after a restart of the daemon, nor for another image with the same module.
// What was copied over it in a container is another module.
func TestCompiledOnce(t *testing.T) {
	e := wherry.Start(t)
	dir := t.TempDir()
	for name, line := range map[string]string{"greet.wasm": "hello\n", "other.wasm": "replaced\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), greeter(line, 0), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(dir, "one"), "FROM scratch\nCOPY greet.wasm /app.wasm\nENTRYPOINT [\"/app.wasm\"]\n")
	write(t, filepath.Join(dir, "two"), "FROM scratch\nCOPY one /bin/\nCOPY greet.wasm /bin/two.wasm\nENTRYPOINT [\"/bin/two.wasm\"]\n")
	for _, name := range []string{"one", "two"} {
		e.Must("build", "-q", "-t", name, "-f", filepath.Join(dir, name), dir)
	}
	for i, engine := range []string{"wasmtime", "wazero"} {
		t.Run(engine, func(t *testing.T) {
			run := func(args ...string) {
				t.Helper()
				args = append([]string{"run", "--rm", "--runtime", "io.containerd." + engine + ".v1"}, args...)
				if got := e.Must(args...); got != "hello" {
					t.Errorf("%v printed %q", args, got)
				}
			}
			run("one")
			first := compiled(t, e)
			if len(first) != i*2+1 {
				t.Fatalf("after the first start the cache has %d entries, want %d", len(first), i*2+1)
			}
			run("one")
			run("two")
			run(filepath.Join(dir, "greet.wasm"))
			e.KillDaemon(syscall.SIGTERM)
			e.StartDaemon()
			run("one")
			if again := compiled(t, e); !maps.Equal(first, again) {
				t.Errorf("something was compiled again: %v, then %v", first, again)
			}

			name := "copied-" + engine
			e.Must("create", "--name", name, "--runtime", "io.containerd."+engine+".v1", "one")
			if got := e.Must("start", "-a", name); got != "hello" {
				t.Errorf("the container printed %q", got)
			}
			e.Must("cp", filepath.Join(dir, "other.wasm"), name+":/app.wasm")
			for range 2 {
				if got := e.Must("start", "-a", name); got != "replaced" {
					t.Errorf("after the copy it printed %q", got)
				}
			}
			if now := compiled(t, e); len(now) != len(first)+1 {
				t.Errorf("the cache has %d entries, want %d", len(now), len(first)+1)
			}
			run("one") // the image is as it was
		})
	}
}
