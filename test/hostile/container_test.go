//go:build linux

package hostile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wherry/internal/testutil/wherry"
)

// Every case in containers, on an image that brings libraries for whoever would
// load them.
func TestContainers(t *testing.T) {
	if os.Getenv(asVariable) == "old" {
		return // a container's process has a filter of its own
	}
	module, err := os.ReadFile(compile(t))
	if err != nil {
		t.Fatal(err)
	}
	if bin == "" {
		bin = wherry.Programs(t)
	}
	e := wherry.StartFrom(t, bin)
	w := newWorld(t)
	library := evilLibrary(t, w.base)
	nodes := append(imageNodes(w.outside), node{"guest.wasm", file, string(module)})
	e.Must("load", "-i", archive(t, "hostile", append(nodes, evilNodes(library)...), filepath.Join(w.base, "evil.so")))
	for _, name := range []string{"wasmtime", "wazero"} {
		t.Run(name, func(t *testing.T) {
			w := *w
			w.t = t
			// What an engine's guests did in the mounts before is gone.
			if err := os.RemoveAll(filepath.Join(w.base, "m")); err != nil {
				t.Fatal(err)
			}
			w.build("m", mountNodes(w.outside))
			s := serve(t, &w)
			run := func(args ...string) string {
				t.Helper()
				stdout, stderr, code := e.Run(append(w.runOptions(name), args...)...)
				if code != 0 || stderr != "" || strings.Contains(stdout, evilMark) {
					t.Errorf("%q: exit code %d\n%s\n%s", args, code, stdout, stderr)
				}
				if strings.Contains(stdout+stderr, w.secret) {
					t.Error("the canary was printed")
				}
				return stdout
			}
			// The first start tells that it compiles, the others have nothing to say.
			cases, alone := names(t, e.Must(append(w.runOptions(name), "list")...)+"\n")
			told := append(w.arguments(), s.arguments()...)
			got := verdicts(t, run(append(told, "all")...), cases)
			for _, name := range alone {
				got[name] = verdicts(t, run(append(told, name)...), []string{name})[name]
			}
			judge(t, got)
			w.check()
			s.check()
		})
	}
}

// runOptions are what a container is run with, up to its arguments.
func (w *world) runOptions(engine string) []string {
	at := func(name string) string { return filepath.Join(w.base, name) }
	return []string{"run", "--rm", "--runtime", "io.containerd." + engine + ".v1",
		"-v", at("m") + ":/m", "-v", at("inner") + ":/m/inner:ro", "-v", at("ro") + ":/ro:ro",
		"-v", at("single/file") + ":/etc/single", "-v", at("single/ro") + ":/etc/single-ro:ro", "-v", at("single/race") + ":/etc/race",
		"--tmpfs", "/t:size=1m", "-v", "/:/host", "hostile"}
}
