//go:build linux

package shim_test

import (
	"context"
	"fmt"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	events "github.com/containerd/containerd/api/services/ttrpc/events/v1"
	"github.com/containerd/errdefs"
	"github.com/containerd/ttrpc"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/types/known/emptypb"

	"wherry/internal/sandbox/cgroup"
	"wherry/internal/shim/bundle"
	"wherry/internal/shim/client"
)

// limited describes a container with a cgroup of its own, which goes with the
// test whatever becomes of the shim.
func limited(t *testing.T, r *specs.LinuxResources, args ...string) *box {
	t.Helper()
	s := cgroup.Probe()
	if s.Version == 0 {
		if os.Getenv("CI") == "true" && os.Geteuid() == 0 {
			t.Fatalf("no cgroups: %s", s.Why)
		}
		t.Skipf("no cgroups: %s", s.Why)
	}
	if parent := os.Getenv("WHERRY_TEST_CGROUP_PARENT"); parent != "" {
		s.Parent = parent
	}
	if strings.HasPrefix(s.Parent, "/") {
		// Right below the root, where its weight counts against all others'.
		s.Parent = "/wherry-"
	}
	b := bound(t, args...)
	b.spec.Linux = &specs.Linux{CgroupsPath: s.Parent + "test-" + filepath.Base(b.dir), Resources: r}
	t.Cleanup(func() { // after the shim's end
		for _, dir := range b.folders() {
			t.Errorf("%s is left behind", dir)
			_ = unix.Rmdir(dir)
		}
	})
	return b
}

// bound describes a container whose guest is small, and has no cgroup.
func bound(t *testing.T, args ...string) *box {
	t.Helper()
	b := newBox(t, args...)
	wat, err := filepath.Abs("testdata/bound.wat")
	if err != nil {
		t.Fatal(err)
	}
	b.spec.Annotations[bundle.Module] = wat
	return b
}

// folders are those of the container's cgroup that are there.
func (b *box) folders() (all []string) {
	b.t.Helper()
	name := "test-" + filepath.Base(b.dir)
	for _, pattern := range []string{"/wherry-" + name, "/*/wherry-" + name, "/system.slice/wherry-" + name + ".scope", "/user.slice/*/*/user.slice/wherry-" + name + ".scope"} {
		found, err := filepath.Glob("/sys/fs/cgroup" + pattern)
		if err != nil {
			b.t.Fatal(err)
		}
		all = append(all, found...)
	}
	return all
}

// group is the container's cgroup, by the shim's own record.
func (b *box) group() *cgroup.Group {
	b.t.Helper()
	var st cgroup.State
	if err := bundle.Read(b.opts.Bundle, bundle.Cgroup, &st); err != nil {
		b.t.Fatal(err)
	}
	g, err := cgroup.Load(st)
	if err != nil {
		b.t.Fatal(err)
	}
	return g
}

func memoryLimit(n int64) *specs.LinuxResources {
	return &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &n}}
}

func cpuQuota(quota int64, shares uint64) *specs.LinuxResources {
	period := uint64(100000)
	return &specs.LinuxResources{CPU: &specs.LinuxCPU{Quota: &quota, Period: &period, Shares: &shares}}
}

// do starts the guest.
func (b *box) do() {
	b.t.Helper()
	if err := b.shim.Start(b.context()); err != nil {
		b.t.Fatal(err)
	}
}

// The guest's own limit is reached before the kernel's: the reason is told, and
// nothing is killed.
func TestMemoryLimitInACgroup(t *testing.T) {
	shim := plainShim(t)
	for _, engine := range []string{"wasmtime", "wazero"} {
		t.Run(engine, func(t *testing.T) {
			b := limited(t, memoryLimit(64<<20), "grow")
			b.opts.Program = shim
			b.spec.Annotations[bundle.Engine] = engine
			b.create()
			g := b.group()
			b.do()
			st := b.wait()
			if st.Code != 3 || !st.OutOfMemory || !strings.HasPrefix(st.Reason, "memory.grow failed at limit 64 MiB: the guest has 5") {
				t.Errorf("exit = %+v, want the limit as its reason", st)
			}
			if n, err := g.OOMKills(); err != nil || n != 0 {
				t.Errorf("%d kills by the kernel, %v", n, err)
			}
		})
	}
}

// What the process needs besides the guest's memory must fit into what is kept
// for it, with programs of some size.
func TestProcessMemory(t *testing.T) {
	_, large := programs(t)
	shim := plainShim(t)
	const limit = 256 << 20
	for _, engine := range []string{"wasmtime", "wazero"} {
		t.Run(engine, func(t *testing.T) {
			b := limited(t, memoryLimit(limit), "sleep")
			b.opts.Program = shim
			b.spec.Annotations[bundle.Engine], b.spec.Annotations[bundle.Module] = engine, large
			b.create()
			status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", b.pid()))
			if err != nil {
				t.Fatal(err)
			}
			var anon, tables uint64 // KiB
			for line := range strings.Lines(string(status)) {
				_, _ = fmt.Sscanf(line, "RssAnon: %d", &anon)
				_, _ = fmt.Sscanf(line, "VmPTE: %d", &tables)
			}
			var guest, code int64
			if info, err := os.Stat(large); err != nil {
				t.Fatal(err)
			} else {
				guest = info.Size()
			}
			cached, err := filepath.Glob(filepath.Join(b.spec.Annotations[bundle.Cache], "*.code"))
			if err != nil {
				t.Fatal(err)
			}
			for _, path := range cached {
				if info, err := os.Stat(path); err == nil {
					code = max(code, info.Size())
				}
			}
			t.Logf("%s: %d KiB of memory and %d of page tables; module %d KiB, the largest code %d", engine, anon, tables, guest>>10, code>>10)
			kept := uint64(12<<20 + limit/256)
			if engine == "wazero" {
				kept += uint64(3 * (guest + code))
			}
			if used := (anon + tables) << 10; used == 0 || used > kept {
				t.Errorf("%s takes %d bytes, %d are kept for it", engine, used, kept)
			}
		})
	}
}

// plainShim is the shim without the race detector, which takes memory itself.
func plainShim(t *testing.T) string {
	t.Helper()
	shim, _ := programs(t)
	if len(buildFlags) == 0 {
		return shim
	}
	plain := shim + "-plain"
	out, err := exec.Command("go", "build", "-tags", "netgo,osusergo", "-ldflags", "-s -w", "-o", plain, "wherry/cmd/containerd-shim-wherry-v1").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return plain
}

// pid is the container process's.
func (b *box) pid() int {
	b.t.Helper()
	st, err := b.shim.State(b.context())
	if err != nil {
		b.t.Fatal(err)
	}
	return st.PID
}

// forwarded takes events as containerd does.
type forwarded chan string

func (f forwarded) Forward(_ context.Context, r *events.ForwardRequest) (*emptypb.Empty, error) {
	f <- r.Envelope.Topic
	return &emptypb.Empty{}, nil
}

// startUnder starts the shim as containerd does, which listens for events.
func (b *box) startUnder(f forwarded) {
	b.t.Helper()
	path := filepath.Join(b.dir, "events.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		b.t.Fatal(err)
	}
	server, err := ttrpc.NewServer()
	if err != nil {
		b.t.Fatal(err)
	}
	events.RegisterEventsService(server, f)
	go func() { _ = server.Serve(context.Background(), l) }() // until it is closed
	b.t.Cleanup(func() { server.Close() })
	b.write()
	cmd := exec.Command(b.opts.Program, "-namespace", "test", "-address", b.opts.Address, "-id", filepath.Base(b.opts.Bundle), "start")
	cmd.Dir = b.opts.Bundle
	cmd.Env = append(os.Environ(), "TTRPC_ADDRESS="+path)
	if out, err := cmd.CombinedOutput(); err != nil {
		b.t.Fatalf("%v: %s", err, out)
	}
	if b.shim, err = client.Connect(b.context(), b.opts.Bundle); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(b.end)
}

func TestKilledForLackOfMemory(t *testing.T) {
	b := limited(t, memoryLimit(64<<20), "grow")
	f := make(forwarded, 16)
	b.startUnder(f)
	if _, err := b.shim.Create(b.context()); err != nil {
		t.Fatal(err)
	}
	// Behind the shim's back, so that the guest has more than there is.
	if err := b.group().Update(memoryLimit(32 << 20)); err != nil {
		t.Fatal(err)
	}
	b.do()
	st := b.wait()
	if st.Code != 137 || !st.OutOfMemory || !strings.Contains(st.Reason, "killed by the kernel at the memory limit") {
		t.Errorf("exit = %+v, want a kill for lack of memory", st)
	}
	var got []string
	for len(got) == 0 || got[len(got)-1] != "/tasks/exit" {
		select {
		case topic := <-f:
			got = append(got, topic)
		case <-time.After(10 * time.Second):
			t.Fatalf("events: %v", got)
		}
	}
	if want := []string{"/tasks/create", "/tasks/start", "/tasks/oom", "/tasks/exit"}; !slices.Equal(got, want) {
		t.Errorf("events: %v, want %v", got, want)
	}
}

func TestTooLittleMemory(t *testing.T) {
	b := limited(t, memoryLimit(4<<20), "grow").start()
	if _, err := b.shim.Create(b.context()); !errdefs.IsInvalidArgument(err) || !strings.Contains(err.Error(), "the memory limit of 4 MiB is too low") {
		t.Errorf("create gave %v", err)
	}
}

// cpuTime is what the shim's message says, of either version.
func (b *box) cpuTime() time.Duration {
	b.t.Helper()
	m, err := b.shim.Metrics(b.context())
	if err != nil {
		b.t.Fatal(err)
	}
	if m.V1 != nil {
		return time.Duration(m.V1.GetCPU().GetUsage().GetTotal())
	}
	return time.Duration(m.V2.GetCPU().GetUsageUsec()) * time.Microsecond
}

// share measures until the container's share of a processor is what was wanted:
// on a busy machine it may not get what it may have, and clocks of an emulated
// one jump.
func (b *box) share(want float64) {
	b.t.Helper()
	var got []float64
	for range 8 {
		before, from := b.cpuTime(), time.Now()
		time.Sleep(2 * time.Second) // what is measured is time
		r := float64(b.cpuTime()-before) / float64(time.Since(from))
		got = append(got, r)
		if math.Abs(r-want) <= 0.05 {
			return
		}
	}
	b.t.Errorf("a container of %.1f CPU took %.3f", want, got)
}

func TestQuotaAndUpdate(t *testing.T) {
	b := limited(t, cpuQuota(50000, 200000), "loop").run()
	b.share(0.5)
	if err := b.shim.Update(b.context(), cpuQuota(20000, 200000)); err != nil {
		t.Fatal(err)
	}
	b.share(0.2)
	if err := b.shim.Update(b.context(), memoryLimit(96<<20)); err != nil {
		t.Fatal(err)
	}
	m, err := b.shim.Metrics(b.context())
	if err != nil {
		t.Fatal(err)
	}
	limit, pids, throttled := m.V2.GetMemory().GetUsageLimit(), m.V2.GetPids().GetCurrent(), m.V2.GetCPU().GetNrThrottled()
	if m.V1 != nil {
		limit, pids, throttled = m.V1.GetMemory().GetUsage().GetLimit(), m.V1.GetPids().GetCurrent(), m.V1.GetCPU().GetThrottling().GetThrottledPeriods()
	}
	if limit != 96<<20 || pids == 0 || throttled == 0 {
		t.Errorf("limit %d, pids %d, throttled periods %d", limit, pids, throttled)
	}
	if err := b.shim.Update(b.context(), memoryLimit(1<<16)); err == nil {
		t.Error("less memory than is in use was taken")
	}
	// Without a cgroup there is nothing to change.
	plain := bound(t, "sleep").run()
	if err := plain.shim.Update(plain.context(), cpuQuota(20000, 2)); !errdefs.IsNotImplemented(err) {
		t.Errorf("update without a cgroup gave %v", err)
	}
}
