//go:build linux && daemons

package stock

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

var limitTests = []subtest{
	{"memory", testMemory},
	{"update", testUpdate},
	{"cpus", testCPUs},
}

// A guest that grows beyond its limit is told so, and the reason is in its log.
func testMemory(t *testing.T, e *engine) {
	id := e.detach(t, opts("--memory", "64m"), "grow")
	if code := e.Run(t, "wait", id); code == "0" {
		t.Errorf("exit code %s", code)
	}
	if logs := e.Run(t, "logs", id); !strings.Contains(logs, "wherry: memory.grow failed at limit 64 MiB") {
		t.Errorf("logs do not say why: %s", logs)
	}
	out, code := e.Try(t, runArgs(opts("--rm", "--memory", "6m"), "pwd")...)
	if code == 0 || !strings.Contains(out, "memory") {
		t.Errorf("with 6 MiB: exit code %d: %s", code, out)
	}
}

func testUpdate(t *testing.T, e *engine) {
	id := e.detach(t, opts("--memory", "256m", "--memory-swap", "256m"), "sleep")
	e.awaitLog(t, id, "sleeping")
	e.Run(t, "update", "-m", "200m", "--memory-swap", "200m", "--cpus", "1.5", id)
	if limit := e.inspect(t, id, ".HostConfig.Memory"); limit != "209715200" {
		t.Errorf("inspect: limit %s", limit)
	}
	var s struct{ MemUsage string }
	if err := json.Unmarshal([]byte(e.Run(t, "stats", "--no-stream", "--format", "json", id)), &s); err != nil || !strings.HasSuffix(s.MemUsage, "/ 200MiB") {
		t.Errorf("stats (%v): memory %s", err, s.MemUsage)
	}
}

// A guest that spins gets its share of a CPU. On a machine with more to do than
// it can, it may get less, so there is more than one try for that.
func testCPUs(t *testing.T, e *engine) {
	id := e.detach(t, opts("--cpus", "0.5"), "loop")
	e.awaitLog(t, id, "looping")
	pid := e.pid(t, id)
	for try := 1; ; try++ {
		begin, before := time.Now(), cpuTime(t, pid)
		time.Sleep(3 * time.Second)
		used := (cpuTime(t, pid) - before) / time.Since(begin).Seconds()
		switch {
		case used > 0.55:
			t.Errorf("used %.2f of a CPU, of 0.5", used)
		case used < 0.45 && try < 5:
			continue
		case used < 0.45:
			t.Errorf("used %.2f of a CPU, of 0.5", used)
		}
		return
	}
}
