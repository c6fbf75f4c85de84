//go:build linux && daemons

package stock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"

	"wherry/internal/testutil/stock"
	"wherry/internal/testutil/wherry"
)

// criTime bounds a wait for what CRI tells nobody of.
const criTime = 30 * time.Second

// kubelet does what a node's kubelet does: it makes pods through CRI.
type kubelet struct {
	t      *testing.T
	c      *stock.Containerd
	run    cri.RuntimeServiceClient
	images cri.ImageServiceClient
}

// startKubelet has Wherry installed into a containerd as its users do.
func startKubelet(t *testing.T, set stock.Set) *kubelet {
	t.Helper()
	bin := t.TempDir()
	c := stock.StartContainerd(t, set, bin)
	c.Stop(t)
	programs := wherry.Programs(t)
	install := exec.Command(filepath.Join(programs, "wherry"), "install", "containerd",
		"--shim", filepath.Join(programs, "containerd-shim-wherry-v1"), "--bin-dir", bin, "--config", c.Config())
	install.Env = append(os.Environ(), "PATH="+stock.Programs(t, set)+":"+os.Getenv("PATH"))
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("install: %v\n%s", err, out)
	}
	c.Start(t)
	conn, err := grpc.NewClient("unix://"+c.Address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("containerd said:\n%s", c.Log(t))
		}
	})
	return &kubelet{t, c, cri.NewRuntimeServiceClient(conn), cri.NewImageServiceClient(conn)}
}

// load imports an image, and waits until CRI has noticed.
func (k *kubelet) load(i stock.Image) {
	k.t.Helper()
	k.c.Run(k.t, "-n", "k8s.io", "image", "import", "--local", "--all-platforms", i.Archive(k.t))
	k.await("CRI knows "+i.Name, func() error {
		r, err := k.images.ImageStatus(k.t.Context(), &cri.ImageStatusRequest{Image: &cri.ImageSpec{Image: i.Name}})
		if err == nil && r.Image == nil {
			err = errors.New("it does not")
		}
		return err
	})
}

func (k *kubelet) await(what string, is func() error) {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(k.t.Context(), criTime)
	defer cancel()
	for {
		err := is()
		if err == nil {
			return
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			k.t.Fatalf("%s: %v", what, err)
		}
	}
}

// pod is a pod with its containers.
type pod struct {
	*kubelet
	id     string
	config *cri.PodSandboxConfig
	ended  bool
}

// newPod makes a pod, which ends with the test.
func (k *kubelet) newPod(name, handler string, linux *cri.LinuxPodSandboxConfig) *pod {
	k.t.Helper()
	p := &pod{kubelet: k, config: &cri.PodSandboxConfig{
		Metadata:     &cri.PodSandboxMetadata{Name: name, Uid: name, Namespace: "default"},
		LogDirectory: k.t.TempDir(), Linux: linux,
	}}
	if linux.GetSecurityContext().GetNamespaceOptions().GetNetwork() != cri.NamespaceMode_NODE {
		p.config.Hostname = name // else it has the node's
	}
	r, err := k.run.RunPodSandbox(k.t.Context(), &cri.RunPodSandboxRequest{Config: p.config, RuntimeHandler: handler})
	if err != nil {
		k.t.Fatalf("make the pod: %v", err)
	}
	p.id = r.PodSandboxId
	k.t.Cleanup(func() {
		if !p.ended {
			p.end(context.Background()) // the test's context has ended
		}
	})
	return p
}

// end takes the pod away as the kubelet does.
func (p *pod) end(ctx context.Context) {
	p.t.Helper()
	p.ended = true
	if _, err := p.run.StopPodSandbox(ctx, &cri.StopPodSandboxRequest{PodSandboxId: p.id}); err != nil {
		p.t.Errorf("stop the pod: %v", err)
	}
	if _, err := p.run.RemovePodSandbox(ctx, &cri.RemovePodSandboxRequest{PodSandboxId: p.id}); err != nil {
		p.t.Errorf("remove the pod: %v", err)
	}
}

// start runs a container in the pod.
func (p *pod) start(name, image string, args ...string) string {
	p.t.Helper()
	r, err := p.run.CreateContainer(p.t.Context(), &cri.CreateContainerRequest{PodSandboxId: p.id, SandboxConfig: p.config, Config: &cri.ContainerConfig{
		Metadata: &cri.ContainerMetadata{Name: name}, Image: &cri.ImageSpec{Image: image}, Args: args, LogPath: name + ".log",
		Linux: &cri.LinuxContainerConfig{
			Resources:       &cri.LinuxContainerResources{MemoryLimitInBytes: 256 << 20},
			SecurityContext: &cri.LinuxContainerSecurityContext{NamespaceOptions: p.config.Linux.GetSecurityContext().GetNamespaceOptions()},
		},
	}})
	if err != nil {
		p.t.Fatalf("make container %s: %v", name, err)
	}
	if _, err := p.run.StartContainer(p.t.Context(), &cri.StartContainerRequest{ContainerId: r.ContainerId}); err != nil {
		p.t.Fatalf("start container %s: %v", name, err)
	}
	return r.ContainerId
}

// criLine is a line of a log (Kubernetes, "CRI Container Log Format").
var criLine = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+(?:Z|[+-]\d\d:\d\d) (stdout|stderr) F (.*)$`)

// logs gives a container's output, of both streams.
func (p *pod) logs(name string) (string, error) {
	data, err := os.ReadFile(filepath.Join(p.config.LogDirectory, name+".log"))
	if err != nil {
		return "", err
	}
	var text strings.Builder
	for line := range strings.Lines(string(data)) {
		m := criLine.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if m == nil {
			return "", fmt.Errorf("%q is not a line of a CRI log", line)
		}
		text.WriteString(m[2] + "\n")
	}
	return text.String(), nil
}

func (p *pod) awaitLog(name, want string) {
	p.t.Helper()
	p.await("the log of "+name, func() error {
		text, err := p.logs(name)
		if err == nil && !strings.Contains(text, want) {
			err = fmt.Errorf("it is %q, want %q in it", text, want)
		}
		return err
	})
}

// status gives a container's, once it has ended where that is awaited.
func (p *pod) status(id string, ended bool) (s *cri.ContainerStatus) {
	p.t.Helper()
	p.await("a container's end", func() error {
		r, err := p.run.ContainerStatus(p.t.Context(), &cri.ContainerStatusRequest{ContainerId: id})
		if err != nil {
			p.t.Fatal(err)
		}
		if s = r.Status; ended && s.State != cri.ContainerState_CONTAINER_EXITED {
			return fmt.Errorf("it is %v", s.State)
		}
		return nil
	})
	return s
}

// named lists the processes whose names begin so, as folders of /proc.
func named(t *testing.T, name string) (list []string) {
	t.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*/comm")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		// One that has gone meanwhile is none.
		if comm, err := os.ReadFile(path); err == nil && strings.HasPrefix(string(comm), name) {
			list = append(list, filepath.Dir(path))
		}
	}
	return list
}

// left holds that a containerd has nothing any more of a pod that has ended,
// which was the last one.
func (k *kubelet) left(p *pod) {
	k.t.Helper()
	// A pod's cgroup is the kubelet's. It can be removed where nothing is in it.
	for _, pattern := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/*"} {
		groups, err := filepath.Glob(pattern + p.config.Linux.CgroupParent)
		if err != nil {
			k.t.Fatal(err)
		}
		for _, dir := range groups {
			if err := os.Remove(dir); err != nil {
				k.t.Error(err)
			}
		}
	}
	k.await("nothing is left", func() error {
		found := append(named(k.t, "containerd-shim"), named(k.t, "wherry-")...)
		for _, pattern := range []string{"/run/netns/*", "/var/run/netns/*",
			filepath.Join(filepath.Dir(k.c.Address), "state", "io.containerd.runtime.v2.task", "k8s.io", "*"),
			filepath.Join(filepath.Dir(k.c.Address), "s", "*")} {
			paths, err := filepath.Glob(pattern)
			if err != nil {
				k.t.Fatal(err)
			}
			found = append(found, paths...)
		}
		if len(found) > 0 {
			return fmt.Errorf("there are %q", found)
		}
		return nil
	})
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || strings.Contains(string(mounts), "k8s.io") {
		k.t.Errorf("mounts are left (%v):\n%s", err, mounts)
	}
}

func (k *kubelet) loadAll() (wasm, linux, pause stock.Image) {
	k.t.Helper()
	wasm = stock.Image{
		Name: "docker.io/library/probe:wasm", Platform: ocispec.Platform{OS: "wasi", Architecture: "wasm"},
		Files: map[string][]byte{"probe.wasm": guest(k.t, "wherry/test/testdata/probe")}, Entrypoint: []string{"/probe.wasm"},
	}
	linux = stock.Image{
		Name: "docker.io/library/probe:linux", Platform: ocispec.Platform{OS: "linux", Architecture: runtime.GOARCH},
		Files: map[string][]byte{"probe": native(k.t, "wherry/test/testdata/probe")}, Entrypoint: []string{"/probe"},
	}
	// Nothing that would run.
	pause = stock.Image{
		Name: stock.PauseImage, Platform: ocispec.Platform{OS: "linux", Architecture: runtime.GOARCH},
		Files: map[string][]byte{"pause": []byte("not a program")}, Entrypoint: []string{"/pause"},
	}
	for _, i := range []stock.Image{wasm, linux, pause} {
		k.load(i)
	}
	return wasm, linux, pause
}

// A pod of a guest and a Linux sidecar, as Kubernetes makes it: they have one
// loopback, and one another's company until the last of them has ended.
func TestCRI(t *testing.T) {
	for _, set := range []stock.Set{stock.Newest, stock.Debian} {
		t.Run(string(set), func(t *testing.T) {
			k := startKubelet(t, set)
			wasm, sidecar, _ := k.loadAll()
			for name, share := range map[string]*cri.NamespaceOption{
				"apart":    {Pid: cri.NamespaceMode_CONTAINER},
				"together": {Pid: cri.NamespaceMode_POD},
				"node":     {Pid: cri.NamespaceMode_CONTAINER, Network: cri.NamespaceMode_NODE},
			} {
				t.Run(name, func(t *testing.T) {
					k := *k
					k.t = t
					p := k.newPod(name, "wherry", &cri.LinuxPodSandboxConfig{
						CgroupParent:    "/pods-" + name,
						SecurityContext: &cri.LinuxSandboxSecurityContext{NamespaceOptions: share},
					})
					k.podOf(p, wasm.Name, sidecar.Name)
					p.end(t.Context())
					k.left(p)
				})
			}
			t.Run("failures", func(t *testing.T) {
				k := *k
				k.t = t
				k.failures(wasm.Name, sidecar.Name)
			})
		})
	}
}

func (k *kubelet) podOf(p *pod, wasm, sidecar string) {
	t := k.t
	status, err := k.run.PodSandboxStatus(t.Context(), &cri.PodSandboxStatusRequest{PodSandboxId: p.id})
	own := p.config.Hostname != ""
	if err != nil || status.Status.State != cri.PodSandboxState_SANDBOX_READY || strings.HasPrefix(status.Status.GetNetwork().GetIp(), "10.77.") != own {
		t.Fatalf("the pod is %v, %v", status, err)
	}
	server := p.start("server", wasm, "serve", "127.0.0.1:8001", "sleep")
	p.awaitLog("server", "serving")
	beside := p.start("beside", sidecar, "serve", "127.0.0.1:8002", "dial", "127.0.0.1:8001", "sleep")
	p.awaitLog("beside", "served 127.0.0.1:8001")
	caller := p.start("caller", wasm, "dial", "127.0.0.1:8002", "exit", "7")
	if s := p.status(caller, true); s.ExitCode != 7 || s.StartedAt == 0 || s.FinishedAt == 0 {
		t.Errorf("the caller's status is %v", s)
	}
	p.awaitLog("caller", "served 127.0.0.1:8002")

	for _, id := range []string{server, beside} {
		if s := p.status(id, false); s.State != cri.ContainerState_CONTAINER_RUNNING {
			t.Errorf("a server is %v", s)
		}
		r, err := k.run.ContainerStats(t.Context(), &cri.ContainerStatsRequest{ContainerId: id})
		if err != nil || r.Stats.GetMemory().GetWorkingSetBytes().GetValue() == 0 || r.Stats.GetCpu().GetUsageCoreNanoSeconds().GetValue() == 0 {
			t.Errorf("stats: %v, %v", r, err)
		}
	}
	stats, err := k.run.PodSandboxStats(t.Context(), &cri.PodSandboxStatsRequest{PodSandboxId: p.id})
	if err != nil || stats.Stats.GetLinux().GetMemory().GetWorkingSetBytes().GetValue() == 0 {
		t.Errorf("stats of the pod: %v, %v", stats, err)
	}

	for id, program := range map[string]string{server: "/probe.wasm", beside: "/probe"} {
		r, err := k.run.ExecSync(t.Context(), &cri.ExecSyncRequest{ContainerId: id, Cmd: []string{program, "dial", "127.0.0.1:8002", "exit", "3"}, Timeout: int64(criTime.Seconds())})
		if err != nil || r.ExitCode != 3 || string(r.Stdout) != "served 127.0.0.1:8002\n" {
			t.Errorf("%s, run beside, gave %v, %v", program, r, err)
		}
	}
	if list := named(t, "containerd-shim"); len(list) != 2 {
		t.Errorf("a pod of guests and Linux containers has the shims %q, want one for each kind", list)
	}

	if _, err := k.run.StopContainer(t.Context(), &cri.StopContainerRequest{ContainerId: server, Timeout: 10}); err != nil {
		t.Fatal(err)
	}
	if s := p.status(server, true); s.ExitCode != 143 {
		t.Errorf("a stopped guest's status is %v, want 143", s)
	}
	if s := p.status(beside, false); s.State != cri.ContainerState_CONTAINER_RUNNING {
		t.Errorf("with the guest the sidecar has ended: %v", s)
	}
	for _, id := range []string{server, caller} {
		if _, err := k.run.RemoveContainer(t.Context(), &cri.RemoveContainerRequest{ContainerId: id}); err != nil {
			t.Error(err)
		}
	}
	// A container that is new takes the place of one that was removed.
	again := p.start("again", wasm, "dial", "127.0.0.1:8002")
	if s := p.status(again, true); s.ExitCode != 0 {
		t.Errorf("a later container's status is %v", s)
	}
}

// failures holds that a pod outlives containerd, and that what a shim kept ends
// with it and is told.
func (k *kubelet) failures(wasm, sidecar string) {
	t := k.t
	p := k.newPod("failures", "wherry", &cri.LinuxPodSandboxConfig{CgroupParent: "/pods-failures"})
	id := p.start("server", wasm, "serve", "127.0.0.1:8001", "sleep")
	p.awaitLog("server", "serving")
	guests := named(t, "wherry-")
	if len(guests) != 2 { // one keeps the pod
		t.Fatalf("a pod of one guest has the processes %q", guests)
	}

	k.c.Stop(t)
	k.c.Start(t)
	k.await("the pod is known again", func() error {
		r, err := k.run.PodSandboxStatus(t.Context(), &cri.PodSandboxStatusRequest{PodSandboxId: p.id})
		if err == nil && r.Status.State != cri.PodSandboxState_SANDBOX_READY {
			err = fmt.Errorf("it is %v", r.Status.State)
		}
		return err
	})
	if s := p.status(id, false); s.State != cri.ContainerState_CONTAINER_RUNNING {
		t.Errorf("after containerd's restart the guest is %v", s)
	}
	if after := named(t, "wherry-"); !slices.Equal(after, guests) {
		t.Errorf("after containerd's restart there are the processes %q, were %q", after, guests)
	}
	if s := p.status(p.start("caller", wasm, "dial", "127.0.0.1:8001"), true); s.ExitCode != 0 {
		t.Errorf("a container that came after containerd's restart: %v", s)
	}

	shims := named(t, "containerd-shim")
	if len(shims) != 1 {
		t.Fatalf("a pod of guests has the shims %q", shims)
	}
	pid, err := strconv.Atoi(filepath.Base(shims[0]))
	if err != nil {
		t.Fatal(err)
	}
	beside := p.start("beside", sidecar, "serve", "127.0.0.1:8002", "sleep")
	p.awaitLog("beside", "serving")
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	// 255 is containerd's own word, where it asked how the task ended before it
	// noticed that nobody is there to tell.
	for _, id := range []string{id, beside} {
		if s := p.status(id, true); s.ExitCode != 137 && s.ExitCode != 255 {
			t.Errorf("a container whose shim was killed: %v", s)
		}
	}
	p.end(t.Context())
	k.left(p)
}
