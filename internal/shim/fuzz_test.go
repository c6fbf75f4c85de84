//go:build linux

package shim

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"

	"wherry/internal/shim/bundle"
)

// FuzzSpec reads whole specifications as a shim does before anything runs:
// annotations, mounts, limits, ports, streams' settings. Each is refused with
// a class or gives a configuration that names absolute paths.
func FuzzSpec(f *testing.F) {
	limit := int64(1 << 20)
	add := func(s specs.Spec) {
		b, err := json.Marshal(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	add(specs.Spec{
		Root: &specs.Root{Path: "rootfs"}, Process: &specs.Process{Args: []string{"/a.wasm"}, Env: []string{"PATH=/bin", "x"}, Cwd: "/"},
		Linux: &specs.Linux{Resources: &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &limit}}},
		Annotations: map[string]string{
			bundle.Upper: "/u", bundle.PublishedPorts: `[{"proto":"tcp","hostPort":1}]`, bundle.Hosts: `{"a":["1.2.3.4"]}`, bundle.DNS: `["::1"]`,
			bundle.Search: `["x"]`, bundle.LogMaxSize: "10", bundle.LogMaxFile: "-1", bundle.Engine: "wazero", bundle.Network: "private",
		},
		Mounts: []specs.Mount{
			{Type: "bind", Source: "/s", Destination: "/d", Options: []string{"ro", "rbind"}}, {Type: "tmpfs", Destination: "/t", Options: []string{"size=64m"}},
			{Type: "proc", Destination: "/proc"}, {Type: "bind", Source: "x", Destination: "../y"}, {Type: "overlay", Destination: "/o"},
		},
	})
	add(specs.Spec{Process: &specs.Process{Args: []string{""}, Rlimits: []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 1 << 63}}}, Annotations: map[string]string{"wherry.connect": "a:1,*:*", "wherry.x": "y"}})
	f.Add([]byte(`{"process":{"args":["x"]},"root":null,"mounts":[{}],"annotations":{"dev.wherry.ports":"[{}"}}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, bundle.Config), data, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := readSpec(dir)
		if err != nil {
			if !errdefs.IsInvalidArgument(err) {
				t.Errorf("unclassified: %v", err)
			}
			return
		}
		var ports []bundle.Port
		for _, err := range []error{s.annotation(bundle.PublishedPorts, &ports)} {
			if err != nil && !errdefs.IsInvalidArgument(err) {
				t.Errorf("unclassified: %v", err)
			}
		}
		for _, key := range []string{bundle.LogMaxSize, bundle.LogMaxFile} {
			if n, err := s.number(key); n < 0 || err != nil && !errdefs.IsInvalidArgument(err) {
				t.Errorf("%s is %d, %v", key, n, err)
			}
		}
		_, _, _, _ = s.engine("containerd-shim-wherry-v1"), s.memoryLimit(), s.name("id"), s.env("PATH")
		files, err := fileTree(s, dir)
		if err != nil {
			if !errdefs.IsInvalidArgument(err) && !errdefs.IsNotImplemented(err) {
				t.Errorf("unclassified: %v", err)
			}
			return
		}
		if s.root != "" && !filepath.IsAbs(files.Root) {
			t.Errorf("the root is %q", files.Root)
		}
		for _, m := range files.Mounts {
			if !m.Tmpfs && !filepath.IsAbs(m.Source) || !strings.HasPrefix(m.Target, "/") || m.Size < 0 {
				t.Errorf("a mount of %+v", m)
			}
		}
		cfg, err := config(s, dir)
		if err != nil {
			if !errdefs.IsInvalidArgument(err) {
				t.Errorf("unclassified: %v", err)
			}
			return
		}
		if _, err := seal(s, cfg); err != nil && !errdefs.IsInvalidArgument(err) && !errdefs.IsNotImplemented(err) {
			t.Errorf("unclassified: %v", err)
		}
	})
}
