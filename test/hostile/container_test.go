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
	for _, engine := range []string{"wasmtime", "wazero"} {
		t.Run(engine, func(t *testing.T) { w.contain(t, e, judge, "--runtime", "io.containerd."+engine+".v1") })
		if os.Geteuid() == 0 {
			t.Run(engine+" as 1000", func(t *testing.T) {
				w.contain(t, e, judgeOthers, "--runtime", "io.containerd."+engine+".v1", "-u", "1000:1000")
			})
		}
	}
}

// contain runs all cases in containers with options of run.
func (w *world) contain(t *testing.T, e *wherry.Engine, judge func(*testing.T, map[string]string), options ...string) {
	in := *w
	in.t = t
	// What other guests did in the mount before is gone.
	if err := os.RemoveAll(filepath.Join(w.base, "m")); err != nil {
		t.Fatal(err)
	}
	in.build("m", mountNodes(w.outside))
	s := serve(t, &in)
	options = append([]string{"run", "--rm"}, append(options, in.mountOptions()...)...)
	run := func(args ...string) string {
		t.Helper()
		stdout, stderr, code := e.Run(append(append(options, "hostile"), args...)...)
		if code != 0 || stderr != "" || strings.Contains(stdout, evilMark) {
			t.Errorf("%q: exit code %d\n%s\n%s", args, code, stdout, stderr)
		}
		if strings.Contains(stdout+stderr, w.secret) {
			t.Error("the canary was printed")
		}
		return stdout
	}
	// The first start tells that it compiles, the others have nothing to say.
	cases, alone := names(t, e.Must(append(append(options, "hostile"), "list")...)+"\n")
	told := append(in.arguments(), s.arguments()...)
	got := verdicts(t, run(append(told, "all")...), cases)
	for _, name := range alone {
		got[name] = verdicts(t, run(append(told, name)...), []string{name})[name]
	}
	judge(t, got)
	in.check()
	s.check()
}

// judgeOthers judges what an ordinary user did in an image of root's: what it
// has no right to change is answered so, and otherwise the cases end the same.
func judgeOthers(t *testing.T, got map[string]string) {
	t.Helper()
	own := map[string]string{}
	for name, verdict := range got {
		family, _, _ := strings.Cut(name, "/")
		switch family {
		case "kernel", "odd", "moving", "linking", "masks", "sizes", "listing":
			if strings.Contains(verdict, "ESCAPE") {
				t.Errorf("%s: %s", name, verdict)
			}
		default:
			own[name] = verdict
		}
	}
	judge(t, own)
}

// mountOptions are what a container's run is asked to mount.
func (w *world) mountOptions() []string {
	at := func(name string) string { return filepath.Join(w.base, name) }
	return []string{
		"-v", at("m") + ":/m", "-v", at("inner") + ":/m/inner:ro", "-v", at("ro") + ":/ro:ro",
		"-v", at("single/file") + ":/etc/single", "-v", at("single/ro") + ":/etc/single-ro:ro", "-v", at("single/race") + ":/etc/race",
		"--tmpfs", "/t:size=1m", "-v", "/:/host",
	}
}
