//go:build linux

package daemon

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"golang.org/x/sys/unix"
)

// built are the programs of the tests with real shims, built once a process.
var built struct {
	once        sync.Once
	dir         string
	shim, guest string
	data        string // a data root whose compiled code the tests share
	out         []byte
	err         error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if built.dir != "" {
		_ = os.RemoveAll(built.dir)
	}
	os.Exit(code)
}

func programsForTest(t *testing.T) (shim, guest string) {
	t.Helper()
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "wherry-daemon-"); built.err != nil {
			return
		}
		built.shim = filepath.Join(built.dir, "containerd-shim-wherry-v1")
		built.guest = filepath.Join(built.dir, "guest.wasm")
		for _, b := range []struct {
			env  []string
			args []string
		}{
			{nil, []string{"build", "-tags", "netgo,osusergo", "-o", built.shim, "wherry/cmd/containerd-shim-wherry-v1"}},
			{[]string{"GOOS=wasip1", "GOARCH=wasm"}, []string{"build", "-o", built.guest, "./testdata/guest"}},
		} {
			cmd := exec.Command("go", b.args...)
			cmd.Env = append(os.Environ(), b.env...)
			if built.out, built.err = cmd.CombinedOutput(); built.err != nil {
				return
			}
		}
	})
	if built.err != nil {
		t.Fatalf("build the programs: %v\n%s", built.err, built.out)
	}
	return built.shim, built.guest
}

// rig is an engine with real shims and an image "app".
type rig struct {
	*Daemon
	t   *testing.T
	cfg Config
	log *output
}

func newRig(t *testing.T) *rig {
	t.Helper()
	shim, guest := programsForTest(t)
	dir, err := os.MkdirTemp("", "wd") // short, for the sockets
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, log: &output{}}
	r.cfg = Config{
		DataRoot: filepath.Join(dir, "data"), RunRoot: filepath.Join(dir, "run"), ShimPath: shim,
		Logger: slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	// Compiling takes seconds under load: one cache serves all tests.
	if err := os.MkdirAll(filepath.Join(built.dir, "code"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(r.cfg.DataRoot, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(built.dir, "code"), filepath.Join(r.cfg.DataRoot, "code")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.destroy()
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the daemon's log:\n%s", r.log)
		}
	})
	r.boot()
	r.image("app", "FROM scratch\nCOPY app.wasm /app.wasm\nCOPY hello /data/hello\nENTRYPOINT [\"/app.wasm\"]\n",
		map[string]string{"app.wasm": guest})
	return r
}

func (r *rig) boot() {
	r.t.Helper()
	d, err := New(r.t.Context(), r.cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	r.Daemon = d
}

// destroy ends the containers and the engine, and looks whether anything is
// left.
func (r *rig) destroy() {
	for _, c := range r.all() {
		if err := r.ContainerRemove(context.Background(), c.id, RemoveOptions{Force: true, Volumes: true}); err != nil && !errdefs.IsNotFound(err) {
			r.t.Error(err)
		}
	}
	if err := r.Close(); err != nil {
		r.t.Error(err)
	}
	eventually(r.t, "no shim is left", func() bool { return len(r.processes()) == 0 })
}

// processes lists the processes that have this engine's run folder in their
// command line.
func (r *rig) processes() []string {
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		r.t.Fatal(err)
	}
	var found []string
	for _, l := range lines {
		if b, err := os.ReadFile(l); err == nil && bytes.Contains(b, []byte(r.cfg.RunRoot)) {
			found = append(found, string(bytes.ReplaceAll(b, []byte{0}, []byte(" "))))
		}
	}
	return found
}

// image builds an image of files of this machine and a file "hello".
func (r *rig) image(name, dockerfile string, files map[string]string) {
	r.t.Helper()
	var buf bytes.Buffer
	tw := tar.NewWriter(&buf)
	add := func(name string, data []byte) {
		if err := tw.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(data))}); err != nil {
			r.t.Fatal(err)
		}
		if _, err := tw.Write(data); err != nil {
			r.t.Fatal(err)
		}
	}
	add("Dockerfile", []byte(dockerfile))
	add("hello", []byte("hello from the image\n"))
	for name, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			r.t.Fatal(err)
		}
		add(name, data)
	}
	if err := tw.Close(); err != nil {
		r.t.Fatal(err)
	}
	var out bytes.Buffer
	if err := r.ImageBuild(r.t.Context(), BuildOptions{Tags: []string{name}}, &buf, &out); err != nil {
		r.t.Fatalf("build: %v\n%s", err, &out)
	}
}

// container makes a container.
func (r *rig) container(h *container.HostConfig, c *container.Config) string {
	r.t.Helper()
	c.Image = "app"
	res, err := r.ContainerCreate(r.t.Context(), CreateOptions{Request: container.CreateRequest{Config: c, HostConfig: h}})
	if err != nil {
		r.t.Fatal(err)
	}
	return res.ID
}

func args(a ...string) *container.Config { return &container.Config{Cmd: a} }

// run runs a container to its end and answers its output and exit code.
func (r *rig) run(h *container.HostConfig, c *container.Config) (string, int64) {
	r.t.Helper()
	id := r.container(h, c)
	next := waitFor(r.t, r.Daemon, id, container.WaitConditionNextExit)
	start(r.t, r.Daemon, id)
	code := exited(r.t, next)
	// The two streams have no order between them.
	out, errs := r.logs(id, LogsOptions{Stdout: true, Tail: -1}), r.logs(id, LogsOptions{Stderr: true, Tail: -1})
	if errs != "" {
		out += "|" + errs
	}
	return out, code
}

func (r *rig) logs(id string, o LogsOptions) string {
	r.t.Helper()
	var b strings.Builder
	if err := r.ContainerLogs(r.t.Context(), id, o, func(l LogLine) error { b.Write(l.Line); return nil }); err != nil {
		r.t.Fatal(err)
	}
	return b.String()
}

func TestRealRuns(t *testing.T) {
	r := newRig(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "f"), []byte("from the host"), 0o644); err != nil {
		t.Fatal(err)
	}
	made := filepath.Join(dir, "made")
	for name, tt := range map[string]struct {
		h    *container.HostConfig
		c    *container.Config
		want string
		code int64
	}{
		"output":                                 {nil, args("say", "hi"), "hi\n|to stderr\n", 0},
		"exit code":                              {nil, args("exit", "42"), "", 42},
		"environment":                            {nil, &container.Config{Cmd: []string{"env", "X"}, Env: []string{"X=y"}}, "y\n", 0},
		"an image's file":                        {nil, args("read", "/data/hello"), "hello from the image\n", 0},
		"a bind":                                 {&container.HostConfig{Binds: []string{dir + ":/mnt:ro"}}, args("read", "/mnt/f"), "from the host", 0},
		"a missing bind's source is made":        {&container.HostConfig{Binds: []string{made + ":/mnt"}}, args("write", "/mnt/x", "y"), "", 0},
		"a volume begins with the image's files": {&container.HostConfig{Binds: []string{"vol:/data"}}, args("read", "/data/hello"), "hello from the image\n", 0},
		"a tmpfs":                                {&container.HostConfig{Tmpfs: map[string]string{"/tmp": "size=1m"}}, args("write", "/tmp/x", "y"), "", 0},
		"a host name":                            {nil, &container.Config{Cmd: []string{"env", "HOSTNAME"}, Hostname: "boat"}, "boat\n", 0},
	} {
		t.Run(name, func(t *testing.T) {
			got, code := r.run(tt.h, tt.c)
			if code != tt.code || (tt.want != got) {
				t.Errorf("got %q and %d, want %q and %d", got, code, tt.want, tt.code)
			}
		})
	}
	if b, err := os.ReadFile(filepath.Join(made, "x")); err != nil || string(b) != "y" {
		t.Errorf("what the guest wrote: %q %v", b, err)
	}
	if out, code := r.run(&container.HostConfig{ReadonlyRootfs: true}, args("write", "/x", "y")); code == 0 {
		t.Errorf("a read-only root was written: %s", out)
	}
}

func TestRealStopAndKill(t *testing.T) {
	r := newRig(t)
	id := r.container(nil, args("sleep"))
	start(t, r.Daemon, id)
	st := inspect(t, r.Daemon, id)
	if err := unix.Kill(st.Pid, 0); err != nil {
		t.Errorf("pid %d: %v", st.Pid, err)
	}
	top, err := r.ContainerTop(t.Context(), id, nil)
	if err != nil || len(top.Processes) != 1 || top.Processes[0][7] != "/app.wasm sleep" {
		t.Errorf("top: %v %v", top, err)
	}
	var sample container.StatsResponse
	err = r.ContainerStats(t.Context(), id, false, func(s container.StatsResponse) error { sample = s; return nil })
	if err != nil || sample.MemoryStats.Usage == 0 || sample.CPUStats.SystemUsage <= sample.PreCPUStats.SystemUsage {
		t.Errorf("stats: %+v %v", sample, err)
	}
	if err := r.ContainerPause(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if err := r.ContainerUnpause(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if err := r.ContainerStop(t.Context(), id, StopOptions{}); err != nil {
		t.Fatal(err)
	}
	if s := inspect(t, r.Daemon, id); s.ExitCode != 143 {
		t.Errorf("after stop: %+v", s)
	}
	start(t, r.Daemon, id)
	if err := r.ContainerKill(t.Context(), id, "KILL"); err != nil {
		t.Fatal(err)
	}
	if s := inspect(t, r.Daemon, id); s.ExitCode != 137 || s.Running {
		t.Errorf("after kill: %+v", s)
	}
}

func TestRealMissingProgram(t *testing.T) {
	r := newRig(t)
	id := r.container(nil, &container.Config{Entrypoint: []string{"/nope.wasm"}})
	err := r.ContainerStart(t.Context(), id)
	if err == nil || !strings.Contains(err.Error(), "no such file or directory") {
		t.Fatalf("start answers %v", err)
	}
	if s := inspect(t, r.Daemon, id); s.ExitCode != 127 || s.Status != container.StateCreated {
		t.Errorf("state %+v", s)
	}
}

func TestRealPorts(t *testing.T) {
	r := newRig(t)
	port := network.MustParsePort("8080/tcp")
	publish := func(hostPort string) *container.HostConfig {
		return &container.HostConfig{PortBindings: network.PortMap{port: {{HostIP: netip.MustParseAddr("127.0.0.1"), HostPort: hostPort}}}}
	}
	id := r.container(publish(""), args("sleep"))
	start(t, r.Daemon, id)
	in, err := r.ContainerInspect(t.Context(), id, false)
	if err != nil {
		t.Fatal(err)
	}
	bound := in.NetworkSettings.Ports[port]
	if len(bound) != 1 || bound[0].HostPort == "" || bound[0].HostPort == "0" {
		t.Fatalf("ports %v", in.NetworkSettings.Ports)
	}
	list, err := r.ContainerList(t.Context(), ListOptions{Filters: Filters{"publish": {"8080"}}})
	if err != nil || len(list) != 1 || fmt.Sprint(list[0].Ports[0].PublicPort) != bound[0].HostPort {
		t.Errorf("list: %v %v", list, err)
	}
	second := r.container(publish(bound[0].HostPort), args("sleep"))
	err = r.ContainerStart(t.Context(), second)
	if err == nil || !strings.Contains(err.Error(), "port is already allocated") || strings.Contains(err.Error(), "\n") {
		t.Errorf("a taken port: %v", err)
	}
}

func TestRealAttach(t *testing.T) {
	r := newRig(t)
	c := args("cat")
	c.OpenStdin, c.StdinOnce = true, true
	id := r.container(nil, c)
	var out, errs output
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() {
		done <- r.ContainerAttach(context.Background(), id, AttachOptions{Stdin: true, Stdout: true, Stderr: true, Stream: true}, func() (Streams, error) {
			close(ready)
			return Streams{Stdin: strings.NewReader("carry this\n"), Stdout: &out, Stderr: &errs}, nil
		})
	}()
	<-ready
	next := waitFor(t, r.Daemon, id, container.WaitConditionNextExit)
	start(t, r.Daemon, id)
	if code := exited(t, next); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if out.String() != "carry this\n" || errs.String() != "" {
		t.Errorf("got %q and %q", &out, &errs)
	}
}

func TestRealOutlivesTheDaemon(t *testing.T) {
	r := newRig(t)
	on := r.container(&container.HostConfig{AutoRemove: true}, args("sleep"))
	again := r.container(policy(container.RestartPolicyAlways, 0), args("sleep"))
	start(t, r.Daemon, on)
	start(t, r.Daemon, again)
	pid := inspect(t, r.Daemon, on).Pid
	killed := inspect(t, r.Daemon, again).Pid
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if err := unix.Kill(killed, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	r.boot()
	if s := inspect(t, r.Daemon, on); !s.Running || s.Pid != pid {
		t.Errorf("the container that ran on: %+v", s)
	}
	eventually(t, "the killed one runs again", func() bool {
		s := inspect(t, r.Daemon, again)
		return s.Status == container.StateRunning && s.Pid != killed
	})
	gone := waitFor(t, r.Daemon, on, container.WaitConditionRemoved)
	if err := r.ContainerStop(t.Context(), on, StopOptions{}); err != nil {
		t.Fatal(err)
	}
	if code := exited(t, gone); code != 143 {
		t.Errorf("the --rm container ended with %d", code)
	}
}

func TestRealShimKilled(t *testing.T) {
	r := newRig(t)
	id := r.container(nil, args("sleep"))
	start(t, r.Daemon, id)
	pid := inspect(t, r.Daemon, id).Pid
	next := waitFor(t, r.Daemon, id, "")
	shims, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range shims {
		b, err := os.ReadFile(s)
		if err != nil || !bytes.Contains(b, []byte(id)) {
			continue
		}
		var shim int
		if _, err := fmt.Sscanf(s, "/proc/%d/cmdline", &shim); err == nil && shim != pid {
			_ = unix.Kill(shim, unix.SIGKILL)
		}
	}
	if code := exited(t, next); code != 137 {
		t.Errorf("wait answers %d, want 137", code)
	}
	eventually(t, "the container process is gone", func() bool { return unix.Kill(pid, 0) == unix.ESRCH })
}
