//go:build linux

package daemon

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"wherry/internal/daemon/admit"
	"wherry/internal/shim/bundle"
)

// wallsOnce keeps what the shim's program said of this machine.
type wallsOnce struct {
	mu    sync.Mutex
	asked bool
	walls bundle.Walls
}

// standing answers which walls stand on this machine. The shim's program is
// asked at the first need: not when the engine starts, nor for a container that
// asks for no limits. An answer holds for the engine's life; where there was
// none, the next need asks again.
func (d *Daemon) standing() bundle.Walls {
	w := &d.walls
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.asked {
		return w.walls
	}
	ctx, cancel := context.WithTimeout(d.ctx, short)
	defer cancel()
	walls, err := d.shims.Walls(ctx)
	if err != nil {
		d.log.Warn("it is not known which walls stand on this machine", "error", err)
		reason := fmt.Sprintf("it is not known what this machine can do: %v", err)
		unknown := map[string]string{}
		for _, name := range []string{"mountns", "pidns", "netns", "landlock", "seccomp", "mdwe", "cgroup"} {
			unknown[name] = reason
		}
		return bundle.Walls{Why: unknown}
	}
	w.asked, w.walls = true, walls
	return walls
}

// machine answers what the machine can do about containers' settings.
func (d *Daemon) machine() admit.Machine {
	w := d.standing()
	m := admit.Machine{
		Cgroup: w.Cgroup, NoCgroup: w.Why["cgroup"], CgroupParent: w.CgroupParent, Features: features("/sys/fs/cgroup", w),
		CPUs: line("/sys/devices/system/cpu/online"), Mems: line("/sys/devices/system/node/online"),
		AppArmor:      line("/sys/module/apparmor/parameters/enabled") == "Y",
		LowerOOMScore: hasCapability(unix.CAP_SYS_RESOURCE), SetGroups: hasCapability(unix.CAP_SETGID),
	}
	if n, err := strconv.Atoi(line("/proc/self/oom_score_adj")); err == nil {
		m.OOMScore = n
	}
	return m
}

// features lists what the cgroups have by their controllers, and by the files
// that a kernel has or lacks. root is where cgroups are mounted.
func features(root string, w bundle.Walls) []string {
	controller := func(names ...string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return slices.Contains(w.CgroupControllers, n) })
	}
	// In version 1 each controller has a tree of its own; in version 2 a root
	// without limits, so the file is looked for below it.
	has := func(v1, v2 string) bool {
		pattern := filepath.Join(root, v1)
		if w.Cgroup == "v2" {
			pattern = filepath.Join(root, "*", v2)
		}
		found, err := filepath.Glob(pattern)
		return err == nil && len(found) > 0 && (w.Cgroup == "v1" || v2 != "")
	}
	var list []string
	for name, there := range map[string]bool{
		admit.FeatureCPU:        controller("cpu"),
		admit.FeatureRealtime:   controller("cpu") && has("cpu/cpu.rt_runtime_us", ""),
		admit.FeatureCpuset:     controller("cpuset"),
		admit.FeatureMemory:     controller("memory"),
		admit.FeatureSwap:       controller("memory") && has("memory/memory.memsw.limit_in_bytes", "memory.swap.max"),
		admit.FeatureSwappiness: controller("memory") && has("memory/memory.swappiness", ""),
		admit.FeatureOOMControl: controller("memory") && has("memory/memory.oom_control", ""),
		admit.FeaturePids:       controller("pids"),
		admit.FeatureIOWeight:   controller("blkio", "io") && (has("blkio/blkio.weight", "io.weight") || has("blkio/blkio.bfq.weight", "io.bfq.weight")),
		admit.FeatureIOThrottle: controller("blkio", "io") && has("blkio/blkio.throttle.read_bps_device", "io.max"),
	} {
		if there {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}

// line is a file's first line; empty where there is no such file.
func line(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	first, _, _ := strings.Cut(string(b), "\n")
	return strings.TrimSpace(first)
}

// hasCapability tells whether this process has one of the kernel's
// capabilities, see proc_pid_status(5).
func hasCapability(n int) bool {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return false
	}
	for l := range strings.Lines(string(b)) {
		if set, ok := strings.CutPrefix(l, "CapEff:"); ok {
			bits, err := strconv.ParseUint(strings.TrimSpace(set), 16, 64)
			return err == nil && bits&(1<<n) != 0
		}
	}
	return false
}
