//go:build linux && daemons

package stock

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

var fileTests = []subtest{
	{"volumes", testVolumes},
	{"read-only", testReadOnly},
	{"user", testUser},
	{"capabilities", testCapabilities},
	{"cp diff commit export", testChanges},
}

func owner(t *testing.T, path string) (uid, gid, mode uint32) {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	st := info.Sys().(*syscall.Stat_t)
	return st.Uid, st.Gid, st.Mode & 0o7777
}

func testVolumes(t *testing.T, e *engine) {
	dir := userDir(t, 0o700)
	e.guest(t, opts("-v", dir+":/data"), "write", "/data/root", "by root", "mkdir", "/data/sub")
	e.guest(t, opts("-v", dir+":/data", "--user", "1000:1000"), "write", "/data/user", "by a user", "cat", "/data/root")
	for name, want := range map[string]string{"root": "0:0 644", "sub": "0:0 755", "user": "1000:1000 644"} {
		if got := describe(t, filepath.Join(dir, name)); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	if out := e.guest(t, opts("-v", dir+":/data:ro"), "try", "write", "/data/x", "y", "cat", "/data/user"); !strings.Contains(out, "ead-only file system") || !strings.HasSuffix(out, "by a user") {
		t.Errorf("a read-only folder: %s", out)
	}

	volume := e.Run(t, "volume", "create")
	defer e.Run(t, "volume", "rm", volume)
	e.guest(t, opts("-v", volume+":/kept"), "write", "/kept/f", "from one")
	if out := e.guest(t, opts("--mount", "type=volume,src="+volume+",dst=/other"), "cat", "/other/f"); out != "from one" {
		t.Errorf("a named volume holds %q", out)
	}
}

func testReadOnly(t *testing.T, e *engine) {
	out := e.guest(t, opts("--read-only", "--tmpfs", "/tmp:size=1m"), "try", "write", "/x", "y", "write", "/tmp/x", "in memory", "cat", "/tmp/x")
	if !strings.Contains(out, "ead-only file system") || !strings.HasSuffix(out, "in memory") {
		t.Errorf("got %s", out)
	}
}

func testUser(t *testing.T, e *engine) {
	out := e.guest(t, opts("--user", "1000"), "try", "write", "/etc/x", "y")
	if !strings.Contains(out, "ermission denied") {
		t.Errorf("an ordinary user wrote /etc: %s", out)
	}
	id := e.detach(t, opts("--user", "1000:100"), "sleep")
	status, err := os.ReadFile("/proc/" + e.inspect(t, id, ".State.Pid") + "/status")
	if err != nil || !strings.Contains(string(status), "Uid:\t1000\t1000\t1000\t1000") || !strings.Contains(string(status), "Gid:\t100\t100\t100\t100") {
		t.Errorf("the process is (%v) %s", err, status)
	}
}

// Without DAC_OVERRIDE root is not let into others' folders.
func testCapabilities(t *testing.T, e *engine) {
	dir := userDir(t, 0o755)
	out := e.guest(t, opts("--cap-drop", "ALL", "-v", dir+":/data"), "try", "write", "/data/x", "y")
	if !strings.Contains(out, "ermission denied") {
		t.Errorf("root without capabilities wrote a user's folder: %s", out)
	}
}

func testChanges(t *testing.T, e *engine) {
	id := e.detach(t, nil, "write", "/made", "by the guest", "sleep")
	e.awaitLog(t, id, "sleeping")
	in := filepath.Join(t.TempDir(), "in")
	if err := os.WriteFile(in, []byte("from outside"), 0o644); err != nil {
		t.Fatal(err)
	}
	e.Run(t, "cp", in, id+":/in")
	out := filepath.Join(t.TempDir(), "out")
	e.Run(t, "cp", id+":/made", out)
	if data, err := os.ReadFile(out); err != nil || string(data) != "by the guest" {
		t.Errorf("copied %q (%v)", data, err)
	}
	if diff := strings.Split(e.Run(t, "diff", id), "\n"); !slices.Contains(diff, "A /made") || !slices.Contains(diff, "A /in") {
		t.Errorf("diff: %q", diff)
	}
	var archive bytes.Buffer
	export := e.Command(t.Context(), "export", id)
	export.Stdout = &archive
	if err := export.Run(); err != nil {
		t.Fatalf("export: %v", err)
	}
	if names := members(t, &archive); !slices.Contains(names, "made") || !slices.Contains(names, "probe.wasm") {
		t.Errorf("export: %q", names)
	}
	e.Run(t, "stop", id)
	e.Run(t, "commit", "--change", `CMD ["cat", "/made", "cat", "/in"]`, id, "committed")
	defer e.Run(t, "rmi", "-f", "committed")
	got := e.Run(t, "run", "--rm", "--runtime=io.containerd.wasmedge.v1", "--platform=wasi/wasm32", "committed")
	if got != "by the guestfrom outside" {
		t.Errorf("a committed image printed %q", got)
	}
}

func members(t *testing.T, r io.Reader) (names []string) {
	t.Helper()
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return names
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
	}
}
