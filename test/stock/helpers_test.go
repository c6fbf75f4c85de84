//go:build linux && daemons

package stock

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"wherry/internal/testutil/docker"
	"wherry/internal/testutil/stock"
	"wherry/internal/testutil/wherry"
)

// patience bounds waits for what ought to come at once, on a busy machine.
const patience = 30 * time.Second

// The images that tests run.
const (
	probeName  = "docker.io/library/probe:1"  // test/testdata/probe as a guest
	nativeName = "docker.io/library/native:1" // the same for Linux
)

// shims is a folder with the shim under every name that it is installed by.
func shims(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"wherry", "wasmedge", "wasmtime", "wazero"} {
		if err := os.Symlink(filepath.Join(wherry.Programs(t), "containerd-shim-wherry-v1"), filepath.Join(dir, "containerd-shim-"+name+"-v1")); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

var compiled sync.Map // of package and environment to what goBuild gave

// goBuild compiles a Go program of this repository, once.
func goBuild(t testing.TB, pkg string, env ...string) []byte {
	t.Helper()
	build := sync.OnceValues(func() ([]byte, error) {
		dir, err := os.MkdirTemp("", "guest")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(dir)
		path := filepath.Join(dir, "program")
		cmd := exec.Command("go", "build", "-trimpath", "-tags", "netgo,osusergo", "-ldflags", "-s -w", "-o", path, pkg)
		cmd.Env = append(append(os.Environ(), "CGO_ENABLED=0"), env...)
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("build %s: %w\n%s", pkg, err, out)
		}
		return os.ReadFile(path)
	})
	known, _ := compiled.LoadOrStore(fmt.Sprint(pkg, env), build)
	data, err := known.(func() ([]byte, error))()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// guest compiles a Go program of this repository for WASI.
func guest(t testing.TB, pkg string) []byte {
	t.Helper()
	return goBuild(t, pkg, "GOOS=wasip1", "GOARCH=wasm")
}

// native compiles it for this machine, so that it needs no library.
func native(t testing.TB, pkg string) []byte {
	t.Helper()
	return goBuild(t, pkg)
}

// platform reads "os/architecture".
func platform(text string) ocispec.Platform {
	system, arch, _ := strings.Cut(text, "/")
	return ocispec.Platform{OS: system, Architecture: arch}
}

// hello is an image of the example server for a platform.
func hello(t *testing.T, plat string) stock.Image {
	t.Helper()
	return stock.Image{
		Name: "docker.io/library/hello:" + strings.ReplaceAll(plat, "/", "-"), Platform: platform(plat),
		Files: map[string][]byte{"hello.wasm": guest(t, "wherry/examples/hello-go")}, Entrypoint: []string{"/hello.wasm"},
	}
}

func probe(t *testing.T) stock.Image {
	t.Helper()
	return stock.Image{
		Name: probeName, Platform: platform("wasi/wasm32"),
		Files: map[string][]byte{"probe.wasm": guest(t, "wherry/test/testdata/probe")}, Entrypoint: []string{"/probe.wasm"},
	}
}

func nativeProbe(t *testing.T) stock.Image {
	t.Helper()
	return stock.Image{
		Name: nativeName, Platform: platform("linux/" + runtime.GOARCH),
		Files: map[string][]byte{"probe": native(t, "wherry/test/testdata/probe")}, Entrypoint: []string{"/probe"},
	}
}

// engine is a Docker Engine with the tests' images.
type engine struct {
	*stock.Docker
	set stock.Set
}

func startEngine(t *testing.T, set stock.Set) *engine {
	t.Helper()
	dir := shims(t)
	// docker run --init only mounts it, and puts it before the arguments.
	if err := os.WriteFile(filepath.Join(dir, "docker-init"), []byte("#!/bin/sh\nexec \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	e := &engine{stock.StartDocker(t, set, docker.Command(t), dir), set}
	for _, i := range []stock.Image{probe(t), nativeProbe(t), hello(t, "wasi/wasm32")} {
		e.Run(t, "load", "-i", i.Archive(t))
	}
	return e
}

// opts are options of docker run.
func opts(o ...string) []string { return o }

// runArgs is a docker run of the probe under Wherry's runtime.
func runArgs(options []string, args ...string) []string {
	all := append([]string{"run", "--runtime=io.containerd.wasmedge.v1", "--platform=wasi/wasm32"}, options...)
	return append(append(all, probeName), args...)
}

// guest runs a guest to its end and gives what it printed; it must succeed.
func (e *engine) guest(t *testing.T, options []string, args ...string) string {
	t.Helper()
	return e.Run(t, runArgs(append([]string{"--rm"}, options...), args...)...)
}

// detach starts a guest and gives its id; it is removed with the test.
func (e *engine) detach(t *testing.T, options []string, args ...string) string {
	t.Helper()
	id := e.Run(t, runArgs(append([]string{"-d"}, options...), args...)...)
	e.removeAfter(t, id)
	return id
}

// removeAfter removes a container with the test, if it is still there.
func (e *engine) removeAfter(t *testing.T, id string) {
	t.Helper()
	t.Cleanup(func() {
		// The test's own context has ended.
		if out, err := e.Command(context.Background(), "rm", "-fv", id).CombinedOutput(); err != nil {
			t.Errorf("remove %s: %v\n%s", id, err, out)
		}
	})
}

// inspect gives a field of a container.
func (e *engine) inspect(t *testing.T, id, field string) string {
	t.Helper()
	return e.Run(t, "inspect", "--format", "{{"+field+"}}", id)
}

// pid is the container's process.
func (e *engine) pid(t *testing.T, id string) int {
	t.Helper()
	pid, err := strconv.Atoi(e.inspect(t, id, ".State.Pid"))
	if err != nil || pid == 0 {
		t.Fatalf("container %s has pid %d (%v)", id, pid, err)
	}
	return pid
}

// await returns when a condition holds, which nothing tells of.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("after %s still not: %s", patience, what)
		}
	}
}

// awaitLog returns when a container has printed a text.
func (e *engine) awaitLog(t *testing.T, id, text string) {
	t.Helper()
	var out string
	defer func() {
		if t.Failed() {
			t.Logf("logs of %s: %s", id, out)
		}
	}()
	await(t, "output "+strconv.Quote(text), func() bool {
		out = e.Run(t, "logs", id)
		return strings.Contains(out, text)
	})
}

// get asks a server until it answers, and gives the answer.
func get(t *testing.T, url string) string {
	t.Helper()
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	var body string
	await(t, "an answer from "+url, func() bool {
		r, err := client.Get(url)
		if err != nil {
			return false
		}
		defer r.Body.Close()
		data, err := io.ReadAll(r.Body)
		body = string(data)
		return err == nil && r.StatusCode == http.StatusOK
	})
	return body
}

// running tells whether a process lives.
func running(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

// cpuTime is what a process has used of CPUs so far, in seconds.
func cpuTime(t *testing.T, pid int) float64 {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	user, uerr := strconv.ParseFloat(fields[11], 64) // proc_pid_stat(5): utime, stime in ticks of 10 ms
	system, serr := strconv.ParseFloat(fields[12], 64)
	if uerr != nil || serr != nil {
		t.Fatalf("times of process %d: %v, %v", pid, uerr, serr)
	}
	return (user + system) / 100
}

// subtests run with one daemon; each cleans up behind itself.
type subtest struct {
	name string
	do   func(*testing.T, *engine)
}
