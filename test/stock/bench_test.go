//go:build linux && daemons

package stock

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"wherry/internal/testutil/docker"
	"wherry/internal/testutil/stock"
)

// BenchmarkBesideRunc times the run of a small guest to its end, and of the
// same Go program for Linux under runc, by turns, through ctr and docker; and
// measures the memory of an idle one with its shim.
func BenchmarkBesideRunc(b *testing.B) {
	d := stock.StartDocker(b, stock.Newest, docker.Command(b), shims(b))
	const pkg = "wherry/bench/testdata/hello"
	images := []stock.Image{{
		Name: "docker.io/library/small:wasm", Platform: platform("wasi/wasm"),
		Files: map[string][]byte{"hello": guest(b, pkg)}, Entrypoint: []string{"/hello"},
	}, {
		Name: "docker.io/library/small:linux", Platform: platform("linux/" + runtime.GOARCH),
		Files: map[string][]byte{"hello": native(b, pkg)}, Entrypoint: []string{"/hello"},
	}}
	runtimes := []string{"io.containerd.wherry.v1", "io.containerd.runc.v2"}
	for _, i := range images {
		archive := i.Archive(b)
		d.Run(b, "load", "-i", archive)
		d.Containerd.Run(b, "image", "import", "--all-platforms", archive)
	}
	serial := 0
	ways := map[string]func(which int) *exec.Cmd{
		"ctr": func(which int) *exec.Cmd {
			serial++
			i := images[which]
			return d.Containerd.Ctr(context.Background(), "run", "--rm", "--runtime", runtimes[which],
				"--platform", i.Platform.OS+"/"+i.Platform.Architecture, i.Name, fmt.Sprint("bench-", serial))
		},
	}
	for _, network := range []string{"none", "bridge"} {
		ways["docker-"+network] = func(which int) *exec.Cmd {
			i := images[which]
			return d.Command(context.Background(), "run", "--rm", "--network", network, "--runtime", runtimes[which],
				"--platform", i.Platform.OS+"/"+i.Platform.Architecture, i.Name)
		}
	}
	for b.Loop() {
		for name, command := range ways {
			var times [2][]time.Duration
			for round := range 21 {
				for which := range runtimes {
					begin := time.Now()
					if out, err := command(which).CombinedOutput(); err != nil || !strings.Contains(string(out), "hello") {
						b.Fatalf("%s: %v: %s", name, err, out)
					}
					if round > 0 { // the first one warms caches
						times[which] = append(times[which], time.Since(begin))
					}
				}
			}
			wherry, runc := median(times[0]), median(times[1])
			b.ReportMetric(float64(wherry.Microseconds())/1000, name+"-ms")
			b.ReportMetric(float64(runc.Microseconds())/1000, name+"-runc-ms")
			b.ReportMetric(float64(wherry)/float64(runc), name+"-ratio")
		}
	}
	var idle [2]float64
	for which, r := range runtimes {
		i := images[which]
		i.Name, i.Entrypoint = i.Name+"-idle", []string{"/idle.wat"}
		i.Files = map[string][]byte{"idle.wat": []byte(idleGuest)}
		if which == 1 {
			i.Files["idle.wat"] = idleProgram(b)
		}
		d.Run(b, "load", "-i", i.Archive(b))
		id := d.Run(b, "run", "-d", "--network", "none", "--runtime", r, "--platform", i.Platform.OS+"/"+i.Platform.Architecture, i.Name)
		idle[which] = pss(b, id, d.Run(b, "inspect", "--format", "{{.State.Pid}}", id))
		d.Run(b, "rm", "-f", id)
	}
	b.ReportMetric(idle[0], "PSS-MiB")
	b.ReportMetric(idle[1], "PSS-runc-MiB")
}

// idleGuest waits for an hour: a clock's subscription of poll_oneoff
// (wasi_snapshot_preview1), monotonic, 3,600 s in nanoseconds.
const idleGuest = `(module
	(import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
	(memory (export "memory") 1)
	(data (i32.const 16) "\01")
	(data (i32.const 24) "\00\a0\b8\30\46\03\00\00")
	(func (export "_start")
		(drop (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128)))))`

// idleProgram is as small a Linux program as C makes, without libraries to load.
func idleProgram(b *testing.B) []byte {
	b.Helper()
	path := filepath.Join(b.TempDir(), "idle")
	cmd := exec.Command("cc", "-static", "-Os", "-x", "c", "-o", path, "-")
	cmd.Stdin = strings.NewReader("#include <unistd.h>\nint main(void) { for (;;) pause(); }\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("compile: %v: %s", err, out)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	return data
}

func median(times []time.Duration) time.Duration {
	slices.Sort(times)
	return times[len(times)/2]
}

// pss is the memory of a container's process and its shim, in MiB: what is
// shared counts by its share (proc_pid_smaps(5)).
func pss(b *testing.B, id, pid string) (sum float64) {
	b.Helper()
	shims, err := exec.Command("pgrep", "-f", "containerd-shim-.*-id "+id).Output()
	if err != nil {
		b.Fatalf("find the shim of %s: %v", id, err)
	}
	for _, p := range append(strings.Fields(string(shims)), pid) {
		data, err := os.ReadFile(filepath.Join("/proc", p, "smaps_rollup"))
		if err != nil {
			b.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			var kib float64
			if _, err := fmt.Sscanf(line, "Pss: %f kB", &kib); err == nil {
				sum += kib / 1024
			}
		}
	}
	return sum
}
