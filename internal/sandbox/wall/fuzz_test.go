//go:build linux

package wall

import (
	"encoding/json"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// FuzzPlan holds that any specification gives a plan whose bytes its runner
// reads as they were meant and whose every step has words for its failure, or
// is refused with a class.
func FuzzPlan(f *testing.F) {
	add := func(s *specs.Spec) {
		b, err := json.Marshal(s)
		if err != nil {
			f.Fatal(err)
		}
		for kind := range byte(8) {
			f.Add(b, kind)
		}
	}
	add(engine())
	add(engine(func(s *specs.Spec) {
		s.Linux.Namespaces = []specs.LinuxNamespace{{Type: specs.UserNamespace, Path: "/proc/1/ns/user"}, {Type: specs.NetworkNamespace, Path: "/x"}}
		s.Linux.UIDMappings = []specs.LinuxIDMapping{{ContainerID: 1, HostID: 4294967295, Size: 4294967295}}
		s.Linux.Sysctl = map[string]string{"../../x": "1", "net.a": "\x00", "kernel.shmmax": ""}
		s.Process.User = specs.User{UID: 4294967295, AdditionalGids: []uint32{4294967295}}
		s.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 2, Hard: 1}, {Type: "x"}}
		s.Process.ApparmorProfile, s.Process.SelinuxLabel = "x\n", "y\x00"
		s.Hostname, s.Domainname = "a/b", "\x00"
	}))
	f.Add([]byte(`{"process":null,"linux":{"namespaces":[{"type":"x"}]}}`), byte(0))
	f.Fuzz(func(t *testing.T, data []byte, kind byte) {
		var spec specs.Spec
		if json.Unmarshal(data, &spec) != nil || spec.Process == nil {
			return
		}
		host := []Host{root, user, old, without(root)}[kind&3]
		opts := Options{Name: "guest"}
		if kind&4 != 0 {
			opts = room()
		}
		p, err := New(&spec, host, opts)
		if err != nil {
			if !errdefs.IsInvalidArgument(err) && !errdefs.IsNotImplemented(err) && !errdefs.IsPermissionDenied(err) && !errdefs.IsFailedPrecondition(err) {
				t.Errorf("unclassified: %v", err)
			}
			return
		}
		for i, s := range p.Steps {
			if s.What == "" {
				t.Errorf("step %d, %s, has no words for its failure", i, s.Name)
			}
		}
		if b, err := p.Encode(); err != nil {
			if b != nil {
				t.Errorf("bytes and %v", err)
			}
			return
		}
		check(t, p)
	})
}
