//go:build linux

package hostile

import (
	"testing"

	"wherry/internal/engine/engines"
	"wherry/internal/wasi/host/tree"
)

// Every case on every engine, in this process, which has more to lose than a
// container's: the host's file tree and network, and no second wall.
func TestCorpus(t *testing.T) {
	for _, name := range engines.Names() {
		t.Run(name, func(t *testing.T) {
			p, w := newProgram(t, name), newWorld(t)
			w.build("image", imageNodes(w.outside))
			image := snapshotOf(t, w, "image")
			s := serve(t, w)
			told := append(w.arguments(), s.arguments()...)
			got := map[string]string{}
			run := func(verdictsOf []string, args ...string) {
				files, err := tree.New(w.config("image", "upper"))
				if err != nil {
					t.Fatal(err)
				}
				defer files.Close()
				for name, v := range verdicts(t, p.in(w, files, told, args...), verdictsOf) {
					got[name] = v
				}
			}
			run(p.cases, "all")
			for _, name := range p.alone {
				run([]string{name}, name)
			}
			judge(t, got)
			w.check()
			s.check()
			if snapshotOf(t, w, "image") != image {
				t.Error("the image's tree was changed")
			}
		})
	}
}

// judge makes a test of each case.
func judge(t *testing.T, got map[string]string) {
	t.Helper()
	for name, verdict := range got {
		t.Run(name, func(t *testing.T) {
			if verdict != "ok" {
				t.Error(verdict)
			}
		})
	}
	if len(got) < enough {
		t.Errorf("%d cases, want %d at least", len(got), enough)
	}
	t.Logf("%d cases", len(got))
}

// snapshotOf is snapshot for a folder of the world.
func snapshotOf(t testing.TB, w *world, name string) string {
	t.Helper()
	other := *w
	other.t, other.outside = t, w.base+"/"+name
	return other.snapshot()
}
