//go:build linux

package shim

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"wherry/internal/wasi/host/tree"
)

func TestTreeMounts(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		mount specs.Mount
		want  tree.Mount
		ok    bool
	}{
		{specs.Mount{Destination: "/data", Type: "bind", Source: dir, Options: []string{"rbind", "ro"}}, tree.Mount{Target: "/data", Source: dir, ReadOnly: true}, true},
		{specs.Mount{Destination: "/f", Source: file, Options: []string{"bind"}}, tree.Mount{Target: "/f", Source: file, File: true}, true},
		{specs.Mount{Destination: "/tmp", Type: "tmpfs", Options: []string{"nosuid", "size=64m", "mode=0750"}}, tree.Mount{Target: "/tmp", Tmpfs: true, Size: 64 << 20, Mode: 0o750}, true},
		{specs.Mount{Destination: "/proc", Type: "proc", Source: "proc"}, tree.Mount{}, false},
		{specs.Mount{Destination: "/sys", Type: "sysfs", Source: "sysfs"}, tree.Mount{}, false},
		{specs.Mount{Destination: "/dev", Type: "tmpfs", Source: "tmpfs"}, tree.Mount{}, false},
		{specs.Mount{Destination: "/dev/shm", Type: "tmpfs", Source: "shm"}, tree.Mount{Target: "/dev/shm", Tmpfs: true}, true},
	} {
		got, ok, err := treeMount(c.mount)
		if err != nil || ok != c.ok || (ok && got != c.want) {
			t.Errorf("%+v: %+v, %v, %v; want %+v, %v", c.mount, got, ok, err, c.want, c.ok)
		}
	}
	for _, m := range []specs.Mount{
		{Destination: "/x", Type: "bind", Source: "relative"},
		{Destination: "/x", Type: "bind", Source: filepath.Join(dir, "missing")},
		{Destination: "/x", Type: "nfs", Source: "server:/"},
		{Destination: "/x", Type: "tmpfs", Options: []string{"size=lots"}},
		{Destination: "/x", Type: "tmpfs", Options: []string{"mode=rwx"}},
	} {
		if got, ok, err := treeMount(m); err == nil {
			t.Errorf("%+v was taken: %+v, %v", m, got, ok)
		}
	}
}

func TestDefaultFiles(t *testing.T) {
	files := defaults("box", map[string][]netip.Addr{"db": {netip.MustParseAddr("10.0.0.2")}}, []netip.AddrPort{netip.MustParseAddrPort("1.1.1.1:53")}, []string{"example.org"})
	want := map[string]string{
		"/etc/hosts":       "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.0.1\tbox\n10.0.0.2\tdb\n",
		"/etc/hostname":    "box\n",
		"/etc/resolv.conf": "nameserver 1.1.1.1\nsearch example.org\n",
	}
	for _, f := range files {
		if text, ok := want[f.Path]; ok {
			if string(f.Data) != text {
				t.Errorf("%s = %q, want %q", f.Path, f.Data, text)
			}
			delete(want, f.Path)
		} else if !strings.HasPrefix(f.Path, "/etc/ssl/") || f.Source == "" {
			t.Errorf("unexpected %+v", f)
		}
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}
}

func TestEngineChoice(t *testing.T) {
	for _, c := range []struct{ engine, runtime, program, want string }{
		{"", "", "/usr/bin/containerd-shim-wherry-v1", ""},
		{"", "", "containerd-shim-wasmtime-v1", "wasmtime"},
		{"", "", "/x/containerd-shim-wazero-v1", "wazero"},
		{"", "io.containerd.wasmedge.v1", "containerd-shim-wherry-v1", ""},
		{"", "io.containerd.wazero.v1", "containerd-shim-wherry-v1", "wazero"},
		{"wasmtime", "io.containerd.wazero.v1", "containerd-shim-wherry-v1", "wasmtime"},
	} {
		s := &spec{Spec: specs.Spec{Annotations: map[string]string{"dev.wherry.engine": c.engine, "dev.wherry.runtime": c.runtime}}}
		if got := s.engine(c.program); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}
