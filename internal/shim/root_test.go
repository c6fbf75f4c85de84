//go:build linux

package shim_test

import (
	"os"
	"path/filepath"
	"testing"

	"wherry/internal/shim/bundle"
)

// A root without an upper level of ours is a container's own, as containerd
// mounts it: the guest sees what is in it, and writes there.
func TestOwnRoot(t *testing.T) {
	_, guest := programs(t)
	data, err := os.ReadFile(guest)
	if err != nil {
		t.Fatal(err)
	}
	b := newBox(t)
	b.spec.Annotations = map[string]string{bundle.Cache: b.spec.Annotations[bundle.Cache]}
	b.spec.Process.Args = []string{"/app.wasm", "write", "/srv/new", "text"}
	for name, content := range map[string][]byte{"app.wasm": data, "data": []byte("a name like any other")} {
		if err := os.WriteFile(filepath.Join(b.spec.Root.Path, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if st := b.run().wait(); st.Code != 0 {
		t.Errorf("exit = %+v", st)
	}
	if text, err := os.ReadFile(filepath.Join(b.spec.Root.Path, "srv", "new")); err != nil || string(text) != "text" {
		t.Errorf("the root has %q, %v", text, err)
	}
	names, err := filepath.Glob(filepath.Join(b.spec.Root.Path, "*"))
	if err != nil || len(names) != 3 {
		t.Errorf("the root holds %v, %v", names, err)
	}
}
