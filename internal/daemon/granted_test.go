//go:build linux

package daemon

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	cgroup1 "github.com/containerd/cgroups/v3/cgroup1/stats"
	cgroup2 "github.com/containerd/cgroups/v3/cgroup2/stats"
	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"

	"wherry/internal/daemon/admit"
	"wherry/internal/daemon/record"
	"wherry/internal/shim/bundle"
	"wherry/internal/shim/client"
)

// every is a machine with every wall.
var every = bundle.Walls{
	Userns: true, Mountns: true, Pidns: true, Netns: true, Landlock: 6, Seccomp: true, MDWE: true,
	Cgroup: "v1", CgroupControllers: []string{"cpu", "memory", "pids"}, CgroupParent: "/wherry/", DefaultEngine: "wasmtime",
}

func TestSecurityOptionsAndWarnings(t *testing.T) {
	can := admit.Machine{Cgroup: "v1", Features: admit.Features}
	want := []string{
		"name=no-new-privileges", "name=rootless", "name=seccomp,profile=builtin", "name=landlock,abi=6", "name=mdwe",
		"name=mountns", "name=pidns", "name=netns", "name=userns",
	}
	if got := securityOptions(every, false); !slices.Equal(got, want) {
		t.Errorf("with every wall %q", got)
	}
	if got := warnings(every, can, false); len(got) != 0 {
		t.Errorf("with every wall it warns %q", got)
	}
	bare := bundle.Walls{Seccomp: true, Why: map[string]string{"landlock": "the kernel has none", "cgroup": "the folder is read-only"}}
	if got := securityOptions(bare, true); !slices.Equal(got, []string{"name=no-new-privileges", "name=seccomp,profile=builtin"}) {
		t.Errorf("with one wall %q", got)
	}
	got := warnings(bare, admit.Machine{}, true)
	if len(got) != 6 || !strings.Contains(got[0], "No landlock") || !strings.Contains(got[0], "No landlock (the kernel has none): ") ||
		!strings.Contains(got[5], "No cgroups") || !strings.Contains(got[5], "No cgroups (the folder is read-only): --cpus") {
		t.Errorf("with one wall it warns %q", got)
	}
	for _, w := range got {
		if !strings.HasPrefix(w, "WARNING: ") || strings.Contains(w, "\n") {
			t.Errorf("%q is no warning of Docker's form", w)
		}
	}
	if got := warnings(every, admit.Machine{Cgroup: "v1", Features: []string{admit.FeatureMemory, admit.FeatureCPU, admit.FeatureCpuset, admit.FeaturePids}}, true); !slices.Equal(got, []string{"WARNING: No swap limit support"}) {
		t.Errorf("without swap it warns %q", got)
	}
}

func TestFeatures(t *testing.T) {
	root := t.TempDir()
	for _, f := range []string{
		"memory/memory.memsw.limit_in_bytes", "memory/memory.oom_control", "cpu/cpu.rt_runtime_us", "blkio/blkio.throttle.read_bps_device",
		"system.slice/memory.swap.max", "system.slice/io.max", "system.slice/io.bfq.weight",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, f)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, f), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		w    bundle.Walls
		want string
	}{
		{bundle.Walls{}, ""},
		{bundle.Walls{Cgroup: "v1", CgroupControllers: []string{"blkio", "cpu", "memory", "pids"}}, "blkio.throttle cpu cpu.rt memory memory.oom_control memory.swap pids"},
		{bundle.Walls{Cgroup: "v2", CgroupControllers: []string{"cpu", "cpuset", "io", "memory"}}, "blkio.throttle blkio.weight cpu cpuset memory memory.swap"},
	} {
		if got := strings.Join(features(root, tt.w), " "); got != tt.want {
			t.Errorf("%+v has %q, want %q", tt.w, got, tt.want)
		}
	}
}

// A start that asks for no limits must not wait for the probe; one answer
// serves the engine's life.
func TestWallsAreAskedOnceAndLate(t *testing.T) {
	m := newMachine(t)
	m.shims.walls = every
	d := m.boot()
	start(t, d, create(t, d, "plain", nil))
	if m.shims.asked != 0 {
		t.Fatalf("asked %d times", m.shims.asked)
	}
	start(t, d, create(t, d, "limited", &container.HostConfig{Resources: container.Resources{CPUShares: 100}}))
	if _, err := d.ContainerSandbox(t.Context(), "limited"); err != nil {
		t.Fatal(err)
	}
	if m.shims.asked != 1 {
		t.Errorf("asked %d times", m.shims.asked)
	}
	for _, c := range []struct{ name, path string }{{"plain", ""}, {"limited", "/wherry/"}} {
		rec, err := d.find(c.name)
		if err != nil {
			t.Fatal(err)
		}
		var s struct{ Linux struct{ CgroupsPath string } }
		if err := bundle.Read(d.bundle(rec.id), bundle.Config, &s); err != nil {
			t.Fatal(err)
		}
		if want := c.path; (want == "") != (s.Linux.CgroupsPath == "") || !strings.HasPrefix(s.Linux.CgroupsPath, want) {
			t.Errorf("%s lies in %q", c.name, s.Linux.CgroupsPath)
		}
	}
}

func TestGranted(t *testing.T) {
	m := newMachine(t)
	m.shims.walls = every
	d := m.boot()
	create(t, d, "plain", nil)
	s, err := d.ContainerSandbox(t.Context(), "plain")
	if err != nil {
		t.Fatal(err)
	}
	want := &Granted{
		Engine: "wasmtime", Root: "read-write", Mounts: []GrantedMount{}, Network: "private", Connect: "outside", Publish: []string{},
		User:         GrantedUser{Groups: []uint32{0}},
		Capabilities: []string{"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_NET_BIND_SERVICE"},
		Walls:        []string{"wasi-host", "process", "no-new-privileges", "seccomp", "landlock", "mdwe", "mountns", "pidns"},
	}
	if os.Geteuid() != 0 {
		want.Walls = append(want.Walls, "userns")
	}
	if !reflect.DeepEqual(s.Granted, want) || s.May == nil || len(s.May) != 0 {
		t.Errorf("by default %+v of\n%+v, want\n%+v", s, s.Granted, want)
	}
	id := create(t, d, "tight", &container.HostConfig{
		CapDrop: []string{"CHOWN"}, ReadonlyRootfs: true, NetworkMode: "none", Runtime: "wazero", Binds: []string{"vol:/v:ro"},
		GroupAdd:    []string{"7"},
		Annotations: map[string]string{bundle.Connect: "api.example.com:443"},
		Resources:   container.Resources{Memory: 64 << 20, CPUShares: 5, BlkioWeight: 100},
	})
	c, err := d.find(id)
	if err != nil {
		t.Fatal(err)
	}
	c.change(func(r *record.Container) { r.Config.User = "10:20" })
	if s, err = d.ContainerSandbox(t.Context(), "tight"); err != nil {
		t.Fatal(err)
	}
	groups := []uint32{20, 7}
	if os.Geteuid() != 0 {
		groups = []uint32{20}
	}
	g := s.Granted
	if g.Engine != "wazero" || g.Root != "read-only" || g.Network != "none" || g.Connect != "nothing" ||
		len(g.Mounts) != 1 || g.Mounts[0].Access != "read-only" || g.Mounts[0].Destination != "/v" || g.Mounts[0].Source == "" ||
		g.User.UID != 10 || g.User.GID != 20 || !slices.Equal(g.User.Groups, groups) || len(g.Capabilities) != 0 ||
		!slices.Contains(g.Walls, "netns") || !slices.Contains(g.Walls, "cgroup") ||
		g.Limits.Memory != 64<<20 || !slices.Equal(g.Limits.MemoryBy, []string{"engine", "cgroup"}) || g.Limits.CPUShares != 5 || g.Limits.BlkioWeight != 0 {
		t.Errorf("tightened: %+v", g)
	}
	for _, tt := range []struct{ network, list, want string }{
		{"private", "", "outside"}, {"host", "", "anything"}, {"none", "", "nothing"}, {"private", "none", "nothing"}, {"host", "10.0.0.0/8:*", "10.0.0.0/8:*"},
	} {
		if got := connectOf(tt.network, tt.list); got != tt.want {
			t.Errorf("network %s with list %q: %q, want %q", tt.network, tt.list, got, tt.want)
		}
	}
}

func TestUsersOfTheImage(t *testing.T) {
	m := newMachine(t)
	if err := os.MkdirAll(filepath.Join(m.programs.tree, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(m.programs.tree, "etc/passwd"), []byte("app:x:1000:1001::/srv:\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	d := m.boot()
	make := func(user string) (string, error) {
		r, err := d.ContainerCreate(t.Context(), CreateOptions{Request: container.CreateRequest{Config: &container.Config{Image: "app", User: user}}})
		return r.ID, err
	}
	if _, err := make("nobody-here"); !errdefs.IsInvalidArgument(err) || err.Error() != "unable to find user nobody-here: no matching entries in passwd file" {
		t.Errorf("an unknown user answers %v", err)
	}
	id, err := make("app")
	if err != nil {
		t.Fatal(err)
	}
	// What the guest writes must not make it another user.
	upper := filepath.Join(d.records.Upper(id), "upper", "etc")
	if err := os.MkdirAll(upper, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(upper, "passwd"), []byte("app:x:0:0::/root:\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	start(t, d, id)
	var s struct {
		Process struct {
			User struct {
				UID, GID uint32
			}
			Env []string
		}
	}
	if err := bundle.Read(d.bundle(id), bundle.Config, &s); err != nil {
		t.Fatal(err)
	}
	if s.Process.User.UID != 1000 || s.Process.User.GID != 1001 || !slices.Contains(s.Process.Env, "HOME=/srv") {
		t.Errorf("runs as %+v", s.Process)
	}
}

func TestUpdateOfARunningContainer(t *testing.T) {
	m := newMachine(t)
	m.shims.walls = every
	d := m.boot()
	id := create(t, d, "", &container.HostConfig{Resources: container.Resources{CPUPeriod: 1000, CPUQuota: 2000}})
	start(t, d, id)
	r, err := d.ContainerUpdate(t.Context(), id, container.UpdateConfig{Resources: container.Resources{NanoCPUs: 1e9, PidsLimit: new(int64(70)), Memory: 64 << 20}})
	if err != nil || len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "stays until it is started again") {
		t.Fatalf("%+v %v", r, err)
	}
	running := m.shims.task(d.bundle(id))
	u := running.updates[0]
	if u.CPU == nil || *u.CPU.Quota != 100_000 || *u.CPU.Period != 100_000 || *u.Pids.Limit != 70 || *u.Memory.Limit != 64<<20 {
		t.Errorf("sent %+v", u)
	}
	// A restart policy alone concerns no cgroup.
	if _, err := d.ContainerUpdate(t.Context(), id, container.UpdateConfig{RestartPolicy: container.RestartPolicy{Name: "always"}}); err != nil || len(running.updates) != 1 {
		t.Errorf("%v, %d updates", err, len(running.updates))
	}
	_, err = d.ContainerUpdate(t.Context(), id, container.UpdateConfig{Resources: container.Resources{CPUPeriod: 1}})
	if !errdefs.IsInvalidArgument(err) || len(running.updates) != 1 {
		t.Errorf("a period of 1 answers %v", err)
	}
	running.updateErr = errdefs.ErrInvalidArgument
	before, err := d.ContainerInspect(t.Context(), id, false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.ContainerUpdate(t.Context(), id, container.UpdateConfig{Resources: container.Resources{CPUShares: 7}}); !errdefs.IsInvalidArgument(err) {
		t.Errorf("what the shim refuses answers %v", err)
	}
	if after, err := d.ContainerInspect(t.Context(), id, false); err != nil || after.HostConfig.CPUShares != before.HostConfig.CPUShares {
		t.Errorf("what was refused is kept: %+v %v", after.HostConfig.Resources, err)
	}
}

func TestStatsOfBothVersions(t *testing.T) {
	m := newMachine(t)
	d := m.boot()
	id := create(t, d, "", nil)
	start(t, d, id)
	running := m.shims.task(d.bundle(id))
	measure := func(what client.Metrics) (s container.StatsResponse) {
		running.mu.Lock()
		running.metrics = what
		running.mu.Unlock()
		c, err := d.find(id)
		if err != nil {
			t.Fatal(err)
		}
		return c.sample(t.Context())
	}
	s := measure(client.Metrics{V1: &cgroup1.Metrics{
		CPU:    &cgroup1.CPUStat{Usage: &cgroup1.CPUUsage{Total: 5, User: 3, Kernel: 2}, Throttling: &cgroup1.Throttle{ThrottledPeriods: 4}},
		Memory: &cgroup1.MemoryStat{Usage: &cgroup1.MemoryEntry{Usage: 100, Max: 200, Limit: 300, Failcnt: 1}, RSS: 80, TotalInactiveFile: 9, PgPgIn: 6, HierarchicalSwapLimit: 7},
		Pids:   &cgroup1.PidsStat{Current: 11, Limit: 70},
		Blkio:  &cgroup1.BlkIOStat{IoServiceBytesRecursive: []*cgroup1.BlkIOEntry{{Op: "Read", Value: 12}}},
	}})
	if s.CPUStats.CPUUsage.TotalUsage != 5 || s.CPUStats.ThrottlingData.ThrottledPeriods != 4 || s.MemoryStats.Usage != 100 || s.MemoryStats.Limit != 300 ||
		s.MemoryStats.Stats["rss"] != 80 || s.MemoryStats.Stats["total_inactive_file"] != 9 || s.MemoryStats.Stats["pgpgin"] != 6 ||
		s.MemoryStats.Stats["hierarchical_memsw_limit"] != 7 || s.PidsStats.Limit != 70 || s.BlkioStats.IoServiceBytesRecursive[0].Value != 12 || s.CPUStats.SystemUsage == 0 {
		t.Errorf("version 1: %+v", s)
	}
	s = measure(client.Metrics{V2: &cgroup2.Metrics{
		CPU:          &cgroup2.CPUStat{UsageUsec: 5, UserUsec: 3, SystemUsec: 2, NrThrottled: 4},
		Memory:       &cgroup2.MemoryStat{Usage: 100, Anon: 80, InactiveFile: 9},
		MemoryEvents: &cgroup2.MemoryEvents{Oom: 1},
		Pids:         &cgroup2.PidsStat{Current: 11},
		Io:           &cgroup2.IOStat{Usage: []*cgroup2.IOEntry{{Rbytes: 12, Wbytes: 13}}},
	}})
	_, own := s.MemoryStats.Stats["usage"]
	if s.CPUStats.CPUUsage.TotalUsage != 5000 || s.MemoryStats.Usage != 100 || s.MemoryStats.Limit != memTotal() || s.MemoryStats.Failcnt != 1 ||
		s.MemoryStats.Stats["inactive_file"] != 9 || own || s.PidsStats.Current != 11 || len(s.BlkioStats.IoServiceBytesRecursive) != 2 {
		t.Errorf("version 2: %+v", s)
	}
}
