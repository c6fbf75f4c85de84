//go:build linux

package cgroup

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/cgroups"
	"github.com/opencontainers/cgroups/systemd"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// role is what this program does when a test runs it once more.
const role = "WHERRY_CGROUP_TEST_ROLE"

func TestMain(m *testing.M) {
	if r := os.Getenv(role); r != "" {
		bufio.NewReader(os.Stdin).ReadString('\n') // placed
		play(r)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// play does what is to be bounded.
func play(r string) {
	switch r {
	case "wait":
		io.Copy(io.Discard, os.Stdin)
	case "spin":
		for n := 0; n >= 0; n = (n + 1) & 0xffff { // without end
		}
	case "hog":
		for n := 0; ; n++ {
			block := make([]byte, 1<<20)
			for i := 0; i < len(block); i += 4096 {
				block[i] = byte(n)
			}
			keep = append(keep, block)
			fmt.Println(n + 1)
		}
	case "fork":
		var n int
		for range 64 {
			if exec.Command("/bin/sleep", "20").Start() != nil {
				break
			}
			n++
		}
		fmt.Println(n)
		io.Copy(io.Discard, os.Stdin)
	case "devices":
		for _, path := range []string{"/dev/null", "/dev/zero", "/dev/urandom", "/dev/kmsg", "/dev/tty"} {
			_, err := os.OpenFile(path, os.O_RDWR, 0)
			fmt.Println(path, errors.Is(err, unix.EPERM))
		}
	case "user":
		_, err := Create(Config{ID: "x", Path: "/wherry-test-user", Resources: memory(64 << 20)})
		fmt.Println(err)
		fmt.Printf("%+v\n", Probe())
	}
}

var keep [][]byte

func ptr[T any](v T) *T { return &v }

func memory(n int64) *specs.LinuxResources {
	return &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &n}}
}

// drivers runs a test with each way to a group that this machine has.
func drivers(t *testing.T, test func(t *testing.T, path string)) {
	s := Probe()
	if s.Version == 0 {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no cgroups: %s", s.Why)
		}
		t.Skipf("no cgroups: %s", s.Why)
	}
	name := fmt.Sprintf("%s-%d", strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name())), os.Getpid())
	if os.Geteuid() == 0 {
		// Right below the root, where its weight counts against all others'.
		t.Run("cgroupfs", func(t *testing.T) { test(t, "/wherry-test-"+name) })
	}
	if systemd.IsRunningSystemd() {
		slice := "system.slice"
		if os.Geteuid() != 0 {
			slice = "user.slice"
		}
		t.Run("systemd", func(t *testing.T) { test(t, slice+":wherrytest:"+name) })
	}
}

// group makes a group that goes with the test, whatever becomes of it.
func group(t *testing.T, path string, r *specs.LinuxResources) *Group {
	t.Helper()
	g, err := Create(Config{ID: "test", Path: path, Resources: r})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { remove(t, g) })
	return g
}

func remove(t *testing.T, g *Group) {
	if err := g.Kill(); err != nil {
		t.Errorf("kill: %v", err)
	}
	await(t, "the group to be empty", func() bool {
		pids, err := g.Pids()
		return err == nil && len(pids) == 0
	})
	paths := g.State().Paths
	if err := g.Destroy(); err != nil {
		t.Errorf("destroy: %v", err)
	}
	for name, p := range paths {
		if cgroups.PathExists(p) {
			t.Errorf("%s: %s is left behind", name, p)
		}
		if parent := filepath.Dir(p); strings.HasPrefix(filepath.Base(parent), "wherry-test-") {
			if err := unix.Rmdir(parent); err != nil {
				t.Errorf("%s is left behind: %v", parent, err)
			}
		}
	}
}

// await waits for what has no event of its own.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// child is this program in a role.
type child struct {
	*exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// start makes a child that waits for go.
func start(t *testing.T, r string) *child {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), role+"="+r, "GOMAXPROCS=1", "GOGC=off")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	runtime.LockOSThread() // the death signal is of the thread
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		runtime.UnlockOSThread()
	})
	return &child{cmd, in, bufio.NewReader(out)}
}

// place puts a child into a group and lets it go on.
func (c *child) place(t *testing.T, g *Group) *child {
	t.Helper()
	if err := g.Place(c.Process.Pid); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(c.in)
	return c
}

func TestMemory(t *testing.T) {
	drivers(t, func(t *testing.T, path string) {
		g := group(t, path, &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr[int64](32 << 20)}})
		c := start(t, "hog")
		g2 := make(chan struct{}, 8)
		if !g.systemd { // whose group is there only with its first process
			watch(t, g, g2)
		}
		if err := g.Place(c.Process.Pid); err != nil {
			t.Fatal(err)
		}
		if g.systemd {
			watch(t, g, g2)
		}
		fmt.Fprintln(c.in)
		out, err := io.ReadAll(c.out)
		if err != nil {
			t.Fatal(err)
		}
		err = c.Wait()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != unix.SIGKILL {
			t.Fatalf("a hog over its limit ended with %v, want SIGKILL", err)
		}
		// What it had before it was placed is counted elsewhere.
		if mib := bytes.Count(out, []byte("\n")); mib < 10 || mib > 40 {
			t.Errorf("the hog got %d MiB of 32", mib)
		}
		select {
		case <-g2:
		case <-time.After(10 * time.Second):
			t.Error("no word of the lack of memory")
		}
		// Also where systemd has removed the empty scope.
		if n, err := g.OOMKills(); err != nil || n != 1 {
			t.Errorf("%d kills for lack of memory, %v; want 1", n, err)
		}
	})
}

func watch(t *testing.T, g *Group, told chan struct{}) {
	stop, err := g.WatchOOM(func() { told <- struct{}{} })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
}

// used is the processor time of a group so far.
func used(t *testing.T, g *Group) time.Duration {
	t.Helper()
	s, err := g.Stats()
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(s.CpuStats.CpuUsage.TotalUsage)
}

// near measures until a share of a processor is what was wanted: on a busy
// machine a group may not get what it may have, and clocks of an emulated one
// jump.
func near(t *testing.T, g *Group, want float64) {
	t.Helper()
	var got []float64
	for range 8 {
		r := rate(t, g, 2*time.Second)
		got = append(got, r)
		if math.Abs(r-want) <= 0.05 {
			t.Logf("a group of %.1f CPU took %.3f", want, got)
			return
		}
	}
	t.Errorf("a group of %.1f CPU took %.3f", want, got)
}

// rate is the share of a processor that a group takes for a while.
func rate(t *testing.T, g *Group, d time.Duration) float64 {
	t.Helper()
	before, from := used(t, g), time.Now()
	time.Sleep(d) // what is measured is time
	return float64(used(t, g)-before) / float64(time.Since(from))
}

func TestQuota(t *testing.T) {
	drivers(t, func(t *testing.T, path string) {
		g := group(t, path, &specs.LinuxResources{CPU: &specs.LinuxCPU{Quota: ptr[int64](50000), Period: ptr[uint64](100000), Shares: ptr[uint64](200000)}})
		start(t, "spin").place(t, g)
		near(t, g, 0.5)
		// Alone, a quota is one of the period that is set.
		if err := g.Update(&specs.LinuxResources{CPU: &specs.LinuxCPU{Quota: ptr[int64](20000)}}); err != nil {
			t.Fatal(err)
		}
		near(t, g, 0.2)
		s, err := g.Stats()
		if err != nil || s.CpuStats.ThrottlingData.ThrottledPeriods == 0 {
			t.Errorf("stats = %+v, %v; want throttled periods", s.CpuStats.ThrottlingData, err)
		}
	})
}

func TestPids(t *testing.T) {
	drivers(t, func(t *testing.T, path string) {
		g := group(t, path, &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: ptr[int64](20)}})
		c := start(t, "fork").place(t, g)
		var n int
		if _, err := fmt.Fscan(c.out, &n); err != nil || n == 0 || n > 19 {
			t.Errorf("%d processes started under a limit of 20 tasks, %v", n, err)
		}
		pids, err := g.Pids()
		if err != nil || len(pids) != n+1 || !slices.Contains(pids, c.Process.Pid) {
			t.Errorf("pids = %v, %v; want %d with %d", pids, err, n+1, c.Process.Pid)
		}
		s, err := g.Stats()
		if err != nil || s.PidsStats.Limit != 20 || s.PidsStats.Current < uint64(n) {
			t.Errorf("stats = %+v, %v", s.PidsStats, err)
		}
	})
}

func TestFreezeAndKill(t *testing.T) {
	drivers(t, func(t *testing.T, path string) {
		g := group(t, path, nil)
		c := start(t, "spin").place(t, g)
		if !g.CanFreeze() {
			t.Fatal("the group has no freezer")
		}
		if err := g.Freeze(); err != nil {
			t.Fatal(err)
		}
		if r := rate(t, g, 300*time.Millisecond); r > 0.01 {
			t.Errorf("a frozen group took %.3f CPU", r)
		}
		if err := g.Thaw(); err != nil {
			t.Fatal(err)
		}
		before := used(t, g)
		await(t, "a thawed group to go on", func() bool { return used(t, g) > before+10*time.Millisecond })
		// What is frozen dies too, and by who knows no more than the record.
		if err := g.Freeze(); err != nil {
			t.Fatal(err)
		}
		found, err := Load(g.State())
		if err != nil {
			t.Fatal(err)
		}
		if err := found.Kill(); err != nil {
			t.Fatal(err)
		}
		var exit *exec.ExitError
		if err := c.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != unix.SIGKILL {
			t.Errorf("the process ended with %v, want SIGKILL", err)
		}
		if n, err := g.OOMKills(); err != nil || n != 0 {
			t.Errorf("%d kills for lack of memory, %v", n, err)
		}
	})
}

func TestUpdate(t *testing.T) {
	drivers(t, func(t *testing.T, path string) {
		g := group(t, path, memory(64<<20))
		start(t, "wait").place(t, g)
		for _, n := range []int64{48 << 20, 96 << 20} {
			if err := g.Update(memory(n)); err != nil {
				t.Fatal(err)
			}
			s, err := g.Stats()
			if err != nil || s.MemoryStats.Usage.Limit != uint64(n) {
				t.Errorf("limit = %d, %v; want %d", s.MemoryStats.Usage.Limit, err, n)
			}
		}
		if err := g.Update(memory(-2)); !errdefs.IsInvalidArgument(err) {
			t.Errorf("a limit of -2 gave %v", err)
		}
	})
}

// Root opens what it likes, and a placed process only what leads nowhere.
func TestDevices(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root has devices to lose")
	}
	drivers(t, func(t *testing.T, path string) {
		g := group(t, path, nil)
		c := start(t, "devices").place(t, g)
		out, err := io.ReadAll(c.out)
		if err != nil {
			t.Fatal(err)
		}
		if want := "/dev/null false\n/dev/zero false\n/dev/urandom false\n/dev/kmsg true\n/dev/tty true\n"; string(out) != want {
			t.Errorf("refused:\n%swant:\n%s", out, want)
		}
	})
}

func TestInUse(t *testing.T) {
	drivers(t, func(t *testing.T, path string) {
		g := group(t, path, nil)
		start(t, "wait").place(t, g)
		if _, err := Create(Config{ID: "other", Path: path}); !errdefs.IsAlreadyExists(err) || !strings.Contains(err.Error(), "in use (1 process") {
			t.Errorf("a group in use gave %v", err)
		}
		if strings.HasPrefix(path, "/") {
			// Nor one with others below it.
			group(t, path+"-with/below", nil)
			if _, err := Create(Config{ID: "other", Path: path + "-with"}); !errdefs.IsAlreadyExists(err) {
				t.Errorf("a group with groups gave %v", err)
			}
		}
	})
}

func TestBadPaths(t *testing.T) {
	for path, class := range map[string]func(error) bool{
		"":                       errdefs.IsInvalidArgument,
		"/":                      errdefs.IsInvalidArgument,
		"/../..":                 errdefs.IsInvalidArgument,
		"a/..":                   errdefs.IsInvalidArgument,
		"a\x00b":                 errdefs.IsInvalidArgument,
		"system.slice:wherry:x ": errdefs.IsFailedPrecondition, // without systemd
	} {
		if strings.Contains(path, ":") && systemd.IsRunningSystemd() {
			continue
		}
		if g, err := Create(Config{ID: "x", Path: path}); !class(err) {
			t.Errorf("the path %q gave %v", path, err)
			if g != nil {
				remove(t, g)
			}
		}
	}
	for _, s := range []State{{}, {Path: "/x", Paths: map[string]string{"": "/etc"}}, {Path: "/x", Paths: map[string]string{"": "/sys/fs/cgroup/../../x"}}} {
		if _, err := Load(s); !errdefs.IsInvalidArgument(err) {
			t.Errorf("the record %+v gave %v", s, err)
		}
	}
}

// A missing controller is named, with what to do.
func TestMissingController(t *testing.T) {
	drivers(t, func(t *testing.T, path string) {
		g := group(t, path, nil)
		start(t, "wait").place(t, g)
		if slices.Contains(g.controllers(), "rdma") {
			t.Skip("this machine has all controllers")
		}
		err := g.Update(&specs.LinuxResources{Rdma: map[string]specs.LinuxRdma{"mlx": {HcaHandles: ptr[uint32](1)}}})
		if !errdefs.IsFailedPrecondition(err) || !strings.Contains(err.Error(), "needs the cgroup controller rdma") {
			t.Errorf("a limit without its controller gave %v", err)
		}
	})
}

func TestWithoutRights(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("root takes the part of an ordinary user here")
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{role + "=user"}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Logf("%s", out)
	if text := string(out); !strings.Contains(text, "an ordinary user has") || !strings.Contains(text, "permission denied") || !strings.Contains(text, "Version:0") {
		t.Errorf("an ordinary user is told:\n%s", text)
	}
}

func TestConvert(t *testing.T) {
	r, err := convert(&specs.LinuxResources{
		CPU:  &specs.LinuxCPU{Shares: ptr[uint64](1024), Cpus: "0-1"},
		Pids: &specs.LinuxPids{Limit: ptr[int64](0)},
		BlockIO: &specs.LinuxBlockIO{
			Weight:                ptr[uint16](100),
			ThrottleReadBpsDevice: []specs.LinuxThrottleDevice{{Rate: 7}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.CpuShares != 1024 || r.CpuWeight != 100 || r.CpusetCpus != "0-1" || r.PidsLimit != nil || r.BlkioWeight != 100 || r.BlkioThrottleReadBpsDevice[0].Rate != 7 {
		t.Errorf("converted to %+v", r)
	}
	var names []string
	for _, n := range needs(r) {
		names = append(names, n.v2)
	}
	if !slices.Equal(names, []string{"cpuset", "io"}) {
		t.Errorf("needs = %v", names)
	}
}
