//go:build linux

package shim_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	task "github.com/containerd/containerd/api/runtime/task/v2"
	"github.com/containerd/errdefs"
	"github.com/containerd/ttrpc"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"

	"wherry/internal/sandbox/cgroup"
	"wherry/internal/shim/bundle"
	"wherry/internal/shim/client"
)

func TestFreezer(t *testing.T) {
	b := limited(t, nil, "loop").run()
	if err := b.shim.Pause(b.context()); err != nil {
		t.Fatal(err)
	}
	before := b.cpuTime()
	time.Sleep(200 * time.Millisecond)
	if used := b.cpuTime() - before; used > 10*time.Millisecond {
		t.Errorf("a paused container took %v", used)
	}
	if st, err := b.shim.State(b.context()); err != nil || st.Status != client.Paused {
		t.Errorf("state = %+v, %v", st, err)
	}
	if err := b.shim.Resume(b.context()); err != nil {
		t.Fatal(err)
	}
	before = b.cpuTime()
	for end := time.Now().Add(20 * time.Second); b.cpuTime() == before; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("a resumed container does nothing")
		}
	}
	if err := b.shim.Pause(b.context()); err != nil {
		t.Fatal(err)
	}
	if err := b.shim.Kill(b.context(), int(unix.SIGTERM)); err != nil {
		t.Fatal(err)
	}
	if st := b.wait(); st.Code != 143 {
		t.Errorf("exit of a paused container = %+v, want 143", st)
	}
	if _, err := b.shim.Delete(b.context()); err != nil {
		t.Fatal(err)
	}
	if left := b.folders(); len(left) > 0 {
		t.Errorf("after delete there is %v", left)
	}
}

// joined puts a stranger into the container's cgroup, as a guest that broke out
// might have left one there.
func (b *box) joined() *exec.Cmd {
	b.t.Helper()
	cmd := exec.Command("/bin/sleep", "60")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for _, dir := range b.folders() {
		if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), fmt.Append(nil, cmd.Process.Pid), 0); err != nil {
			b.t.Fatal(err)
		}
	}
	return cmd
}

func killed(cmd *exec.Cmd) bool {
	var exit *exec.ExitError
	return errors.As(cmd.Wait(), &exit) && exit.Sys().(syscall.WaitStatus).Signal() == unix.SIGKILL
}

func TestKillAllAndPids(t *testing.T) {
	b := limited(t, nil, "sleep").run()
	other := b.joined()
	pids, err := b.shim.Pids(b.context())
	slices.Sort(pids)
	want := []int{b.pid(), other.Process.Pid}
	slices.Sort(want)
	if err != nil || !slices.Equal(pids, want) {
		t.Errorf("pids = %v, %v; want %v", pids, err, want)
	}
	if err := b.call("Kill", &task.KillRequest{ID: filepath.Base(b.opts.Bundle), Signal: uint32(unix.SIGKILL), All: true}, &emptypb.Empty{}); err != nil {
		t.Fatal(err)
	}
	if st := b.wait(); st.Code != 137 || !killed(other) {
		t.Errorf("exit = %+v, %v", st, other.ProcessState)
	}
}

// call makes a call that the client package has no word for.
func (b *box) call(method string, req, resp any) error {
	b.t.Helper()
	address, err := os.ReadFile(filepath.Join(b.opts.Bundle, bundle.Address))
	if err != nil {
		return err
	}
	conn, err := net.Dial("unix", strings.TrimPrefix(string(address), "unix://"))
	if err != nil {
		return err
	}
	c := ttrpc.NewClient(conn)
	defer c.Close()
	return c.Call(b.context(), "containerd.task.v3.Task", method, req, resp)
}

// A shim that dies leaves its cgroup, and whatever is in it, to the delete
// command.
func TestShimDiedWithACgroup(t *testing.T) {
	b := limited(t, memoryLimit(64<<20), "loop")
	b.write()
	b.connect()
	defer b.shim.Close()
	if _, err := b.shim.Create(b.context()); err != nil {
		t.Fatal(err)
	}
	b.do()
	other := b.joined()
	var shim task.ConnectResponse
	if err := b.call("Connect", &task.ConnectRequest{ID: filepath.Base(b.opts.Bundle)}, &shim); err != nil {
		t.Fatal(err)
	}
	if err := unix.Kill(int(shim.ShimPid), unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-b.shim.Gone()
	if len(b.folders()) == 0 {
		t.Fatal("the cgroup is gone before anybody cleaned up")
	}
	st, err := client.Delete(b.context(), b.opts)
	if err != nil || st.Code != 137 || !killed(other) {
		t.Errorf("delete = %+v, %v; %v", st, err, other.ProcessState)
	}
	// It may be asked again.
	if _, err := client.Delete(b.context(), b.opts); err != nil {
		t.Errorf("a second delete gave %v", err)
	}
}

func TestBadCgroups(t *testing.T) {
	b := limited(t, nil, "sleep").run()
	for _, c := range []struct {
		path  string
		r     *specs.LinuxResources
		class func(error) bool
		text  string
	}{
		{b.spec.Linux.CgroupsPath, nil, errdefs.IsAlreadyExists, "in use"},
		{"/", nil, errdefs.IsInvalidArgument, "the root of all"},
		{"/..", nil, errdefs.IsInvalidArgument, "the root of all"},
		{b.spec.Linux.CgroupsPath + "x", &specs.LinuxResources{Rdma: map[string]specs.LinuxRdma{"x": {}}}, errdefs.IsFailedPrecondition, "needs the cgroup controller rdma"},
	} {
		if c.r != nil && slices.Contains(cgroup.Probe().Controllers, "rdma") {
			continue
		}
		other := bound(t, "sleep")
		other.spec.Linux = &specs.Linux{CgroupsPath: c.path, Resources: c.r}
		other.start()
		if _, err := other.shim.Create(other.context()); !c.class(err) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("the cgroup %s gave %v", c.path, err)
		}
	}
	// An update that is no resources changes nothing.
	err := b.call("Update", &task.UpdateTaskRequest{ID: filepath.Base(b.opts.Bundle), Resources: &anypb.Any{Value: []byte("[]")}}, &emptypb.Empty{})
	if err == nil || !strings.Contains(err.Error(), "want the JSON of") {
		t.Errorf("an update with a list gave %v", err)
	}
}

// A limit on tasks bounds no guest, which makes none, but would end the engine.
func TestFewTasks(t *testing.T) {
	few := int64(1)
	b := limited(t, &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: &few}}, "hello").run()
	if st := b.wait(); st.Code != 0 || b.logged("stdout") != "hello from the guest\n" {
		t.Errorf("exit = %+v, stdout = %q", st, b.logged("stdout"))
	}
}
