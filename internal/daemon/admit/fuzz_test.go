package admit

import (
	"errors"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
)

// FuzzCheck gives the settings that are texts: what is taken names nothing that
// is the machine's.
func FuzzCheck(f *testing.F) {
	f.Add("chown", "ALL", "seccomp={}", "net.ipv4.ip_forward", "0-1", "/a/b", int64(64<<20))
	f.Add("CAP_X", "", "label:disable", "kernel/../vm/x", "1-,", "../..", int64(-1))
	f.Fuzz(func(t *testing.T, add, drop, security, sysctl, cpus, parent string, n int64) {
		h := &container.HostConfig{
			CapAdd: []string{add}, CapDrop: []string{drop}, SecurityOpt: []string{security}, Sysctls: map[string]string{sysctl: "1"},
			Resources: container.Resources{CpusetCpus: cpus, CgroupParent: parent, Memory: n, PidsLimit: &n, MemorySwappiness: &n},
		}
		m := Machine{Cgroup: "v1", Features: Features, CPUs: "0-3", CgroupParent: "/wherry/"}
		_, err := Check(&container.Config{}, h, func() Machine { return m })
		if err != nil {
			if !errors.Is(err, errdefs.ErrInvalidArgument) {
				t.Errorf("%v has no class", err)
			}
			return
		}
		if p := m.CgroupPath(parent, "id"); p != path.Clean(p) || !strings.HasPrefix(p, "/") || path.Base(p) != "id" {
			t.Errorf("the parent %q makes %q", parent, p)
		}
		if strings.HasPrefix(strings.ReplaceAll(sysctl, "/", "."), "net.") || strings.Contains(sysctl, "..") {
			t.Errorf("the sysctl %q is taken", sysctl)
		}
		set, err := Capabilities(h.CapAdd, h.CapDrop)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range Granted(set) {
			if !slices.Contains(grantable, strings.TrimPrefix(c, "CAP_")) {
				t.Errorf("%s is granted", c)
			}
		}
	})
}
