//go:build linux

package hostile

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
)

// reading and changing are cases by which a guest gets out of wazero's own
// directory mount, at least.
var (
	reading = []string{
		"links/absolute to the outside", "links/absolute to the folder outside", "links/absolute folder listed",
		"links/one step to the outside", "links/one step to the folder outside", "links/one step folder listed", "links/from a folder two steps",
		"links/climbing to the outside", "links/mount absolute to the outside", "links/mount one step", "links/mount one step folder listed",
		"chains/to the outside over a mount",
	}
	changing = []string{
		"links/outside rmdir below", "links/outside truncated", "links/outside created", "links/outside mkdir below", "links/outside unlink below",
		"links/outside rename below",
	}
)

// The corpus bites: by the same cases a guest reads and changes what is outside
// where its files are given by wazero's own WASI.
func TestCorpusBites(t *testing.T) {
	wasm, err := os.ReadFile(compile(t, "-DNO_SOCKETS"))
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	w.build("image", imageNodes(w.outside))
	// Mounts are folders of the image here.
	if err := os.Rename(filepath.Join(w.base, "m"), filepath.Join(w.base, "image", "m")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(w.outside, filepath.Join(w.base, "image", "outside")); err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	r := wazero.NewRuntime(ctx)
	defer r.Close(ctx)
	if _, err := wasi_snapshot_preview1.Instantiate(ctx, r); err != nil {
		t.Fatal(err)
	}
	module, err := r.CompileModule(ctx, wasm)
	if err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) string {
		var out bytes.Buffer
		config := wazero.NewModuleConfig().WithName("").WithStdout(&out).WithArgs(append([]string{"guest"}, args...)...).
			WithFSConfig(wazero.NewFSConfig().WithDirMount(filepath.Join(w.base, "image"), "/"))
		if _, err := r.InstantiateModule(ctx, module, config); err != nil {
			t.Fatalf("%v\n%s", err, out.Bytes())
		}
		return out.String()
	}
	cases, _ := names(t, run("list"))
	var read, changed []string
	for _, name := range cases {
		if !strings.HasPrefix(name, "links/") && !strings.HasPrefix(name, "chains/") {
			continue
		}
		// What an earlier case has spoilt is made anew.
		if err := os.RemoveAll(w.outside); err != nil {
			t.Fatal(err)
		}
		w.build("outside", w.outsideNodes())
		w.before = w.snapshot()
		if strings.Contains(run(append(w.arguments(), name)...), "ESCAPE "+name) {
			read = append(read, name)
		}
		if w.snapshot() != w.before {
			changed = append(changed, name)
		}
	}
	t.Logf("by %d cases it reads the canary: %q", len(read), read)
	t.Logf("by %d cases it changes what is outside: %q", len(changed), changed)
	for _, name := range reading {
		if !slices.Contains(read, name) {
			t.Errorf("%s does not read the canary", name)
		}
	}
	for _, name := range changing {
		if !slices.Contains(changed, name) {
			t.Errorf("%s changes nothing outside", name)
		}
	}
}
