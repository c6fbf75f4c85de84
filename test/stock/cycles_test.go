//go:build linux && daemons

package stock

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"wherry/internal/testutil/stock"
)

// TestCycles starts and stops containers in parallel pairs, and holds that
// nothing grows. WHERRY_CYCLES says how often in all, 200 if it is not set.
func TestCycles(t *testing.T) {
	cycles := 200
	if text := os.Getenv("WHERRY_CYCLES"); text != "" {
		var err error
		if cycles, err = strconv.Atoi(text); err != nil {
			t.Fatalf("WHERRY_CYCLES=%q: %v", text, err)
		}
	}
	for _, set := range []stock.Set{stock.Newest, stock.Debian} {
		t.Run(string(set), func(t *testing.T) {
			e := startEngine(t, set)
			var ids []string
			for range 2 {
				id := e.Run(t, "create", "--runtime=io.containerd.wherry.v1", "--platform=wasi/wasm32", probeName, "sleep")
				e.removeAfter(t, id)
				ids = append(ids, id)
			}
			e.cycle(t, ids, 10) // what daemons keep from the first time on
			before := e.holdings(t)
			e.cycle(t, ids, cycles/2/len(ids))
			var after map[string]int
			defer func() {
				if t.Failed() {
					t.Logf("before %v, after %v", before, after)
				}
			}()
			// Connections and threads of daemons come and go; what grows with
			// each cycle is many.
			await(t, "as little as before", func() bool {
				after = e.holdings(t)
				for name, n := range after {
					slack := 0
					if strings.HasPrefix(name, "descriptors") {
						slack = 8
					}
					if n > before[name]+slack {
						return false
					}
				}
				return true
			})
		})
	}
}

// cycle starts and stops containers a number of times each, together.
func (e *engine) cycle(t *testing.T, ids []string, times int) {
	t.Helper()
	var all sync.WaitGroup
	for _, id := range ids {
		all.Go(func() {
			for range times {
				for _, verb := range []string{"start", "stop"} {
					if out, err := e.Command(t.Context(), verb, id).CombinedOutput(); err != nil {
						t.Errorf("docker %s: %v: %s", verb, err, out)
						return
					}
				}
			}
		})
	}
	all.Wait()
}

// holdings counts what containers might leave.
func (e *engine) holdings(t *testing.T) map[string]int {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	n := map[string]int{"mounts": strings.Count(string(mounts), "\n")}
	for name, pattern := range map[string]string{
		"cgroups": "/sys/fs/cgroup/*/docker/*", "cgroups of version 2": "/sys/fs/cgroup/docker/*",
		"bundles": "/run/c*/state/io.containerd.runtime.v2.task/*/*", "shims' sockets": "/run/c*/s/*",
	} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range found {
			if info, err := os.Stat(path); err == nil && (info.IsDir() || strings.HasPrefix(name, "shims")) {
				n[name]++
			}
		}
	}
	spaces := map[string]bool{}
	for _, p := range processes(t) {
		if strings.Contains(p.args, "containerd-shim-") {
			n["shims"]++
		}
		links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/ns/*", p.pid))
		for _, link := range links {
			if target, err := os.Readlink(link); err == nil { // it may have ended
				spaces[target] = true
			}
		}
	}
	for line := range strings.Lines(string(mounts)) {
		if _, space, ok := strings.Cut(line, " - nsfs "); ok {
			spaces[space] = true
		}
	}
	n["namespaces"] = len(spaces)
	maps.Copy(n, map[string]int{
		"descriptors of dockerd":    descriptors(t, e.Pid()),
		"descriptors of containerd": descriptors(t, e.Containerd.Pid()),
	})
	return n
}

func descriptors(t *testing.T, pid int) int {
	t.Helper()
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}
