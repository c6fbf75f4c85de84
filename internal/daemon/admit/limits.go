package admit

import (
	"runtime"
	"strconv"
	"strings"

	"github.com/moby/moby/api/types/container"

	"wherry/internal/daemon/fault"
)

// resources checks the values of the limits, as Docker does (moby,
// daemon/daemon_unix.go), so that what the kernel would refuse at start is
// refused at create.
func resources(r *container.Resources, m func() Machine) error {
	if err := memory(r); err != nil {
		return err
	}
	if r.NanoCPUs != 0 && r.CPUPeriod != 0 {
		return fault.Invalid("Conflicting options: Nano CPUs and CPU Period cannot both be set")
	}
	if r.NanoCPUs != 0 && r.CPUQuota > 0 {
		return fault.Invalid("Conflicting options: Nano CPUs and CPU Quota cannot both be set")
	}
	if n := runtime.NumCPU(); r.NanoCPUs < 0 || r.NanoCPUs > int64(n)*1e9 {
		return fault.Invalid("range of CPUs is from 0.01 to %d.00, as there are only %d CPUs available", n, n)
	}
	if r.CPUShares < 0 {
		return fault.Invalid("invalid CPU shares (%d): value must be a positive integer", r.CPUShares)
	}
	if r.CPUPeriod != 0 && (r.CPUPeriod < 1000 || r.CPUPeriod > 1000000) {
		return fault.Invalid("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)")
	}
	if r.CPUQuota > 0 && r.CPUQuota < 1000 {
		return fault.Invalid("CPU cfs quota can not be less than 1ms (i.e. 1000)")
	}
	if r.CPURealtimeRuntime != 0 && r.CPURealtimePeriod != 0 && r.CPURealtimeRuntime > r.CPURealtimePeriod {
		return fault.Invalid("cpu real-time runtime cannot be higher than cpu real-time period")
	}
	if w := r.BlkioWeight; w != 0 && (w < 10 || w > 1000) {
		return fault.Invalid("Range of blkio weight is from 10 to 1000")
	}
	for _, w := range r.BlkioWeightDevice {
		if w == nil || w.Weight < 10 || w.Weight > 1000 {
			return fault.Invalid("Range of blkio weight is from 10 to 1000")
		}
	}
	if s := r.CgroupParent; strings.ContainsRune(s, 0) || strings.Contains("/"+s+"/", "/../") {
		return fault.Invalid("invalid cgroup parent %q: want the path of a cgroup", s)
	} else if s != "" && m().Systemd() && (!strings.HasSuffix(s, ".slice") || strings.Contains(s, "/")) {
		return fault.Invalid("cgroup-parent for systemd cgroup should be a valid slice named as \"xxx.slice\", it is %q", s)
	}
	return cpuset(r, m)
}

func memory(r *container.Resources) error {
	switch {
	case r.Memory < 0 || (r.Memory > 0 && r.Memory < minMemory):
		return fault.Invalid("Minimum memory limit allowed is 6MB, found %d bytes", r.Memory)
	case r.MemorySwap > 0 && r.Memory == 0:
		return fault.Invalid("You should always set the Memory limit when using Memoryswap limit, see usage")
	case r.MemorySwap > 0 && r.MemorySwap < r.Memory:
		return fault.Invalid("Minimum memoryswap limit should be larger than memory limit, see usage")
	case r.MemoryReservation < 0 || (r.MemoryReservation > 0 && r.MemoryReservation < minMemory):
		return fault.Invalid("Minimum memory reservation allowed is 6MB")
	case r.Memory > 0 && r.Memory < r.MemoryReservation:
		return fault.Invalid("Minimum memory limit can not be less than memory reservation limit, see usage")
	}
	if s := r.MemorySwappiness; s != nil && (*s < -1 || *s > 100) {
		return fault.Invalid("Invalid value: %d, valid memory swappiness range is 0-100", *s)
	}
	return nil
}

// cpuset checks that the processors and memory nodes are there.
func cpuset(r *container.Resources, m func() Machine) error {
	for _, list := range []struct{ what, kind, asked string }{
		{"cpuset cpus", "CPUs", r.CpusetCpus}, {"cpuset mems", "memory nodes", r.CpusetMems},
	} {
		if list.asked == "" {
			continue
		}
		asked, err := numbers(list.asked)
		if err != nil {
			return fault.Invalid("Invalid value %s for %s: %w", shorten(list.asked), list.what, err)
		}
		text := m().CPUs
		if list.kind != "CPUs" {
			text = m().Mems
		}
		available, err := numbers(text)
		if err != nil || text == "" {
			continue // nobody knows; the kernel does
		}
		for n := range asked {
			if !available[n] {
				return fault.Invalid("Requested %s are not available - requested %s, available: %s", list.kind, shorten(list.asked), text)
			}
		}
	}
	return nil
}

// maxNumber bounds the numbers of a list: no Linux has as many processors.
const maxNumber = 8192

// numbers reads a list such as "0-3,5", see cpuset(7), List format.
func numbers(list string) (map[int]bool, error) {
	set := map[int]bool{}
	total := 0
	for part := range strings.SplitSeq(list, ",") {
		first, last, span := strings.Cut(strings.TrimSpace(part), "-")
		if !span {
			last = first
		}
		from, err := strconv.ParseUint(first, 10, 16)
		if err != nil {
			return nil, fault.Invalid("want numbers such as 0-3,5")
		}
		to, err := strconv.ParseUint(last, 10, 16)
		if err != nil || to < from || to >= maxNumber {
			return nil, fault.Invalid("want numbers such as 0-3,5")
		}
		if total += int(to-from) + 1; total > maxNumber {
			return nil, fault.Invalid("want each number once")
		}
		for n := from; n <= to; n++ {
			set[int(n)] = true
		}
	}
	return set, nil
}

// oomScore checks --oom-score-adj, and warns where only a privileged engine
// could grant it.
func oomScore(h *container.HostConfig, m func() Machine) ([]string, error) {
	if h.OomScoreAdj < -1000 || h.OomScoreAdj > 1000 {
		return nil, fault.Invalid("Invalid value %d, range for oom score adj is [-1000, 1000]", h.OomScoreAdj)
	}
	if h.OomScoreAdj != OOMScore(h, m) {
		return []string{"--oom-score-adj " + strconv.Itoa(h.OomScoreAdj) + " is not enforced: this engine may not go below its own, " + strconv.Itoa(m().OOMScore)}, nil
	}
	return nil, nil
}

// OOMScore is the score that a container's process gets: the one asked for, or
// the engine's own where it may not go below that. The machine is asked only
// where a score was asked for.
func OOMScore(h *container.HostConfig, m func() Machine) int {
	if h.OomScoreAdj != 0 && h.OomScoreAdj < m().OOMScore && !m().LowerOOMScore {
		return m().OOMScore
	}
	return h.OomScoreAdj
}

// groups warns where the engine may not give a process groups.
func groups(h *container.HostConfig, m func() Machine) ([]string, error) {
	if len(h.GroupAdd) > 0 && !m().SetGroups {
		return []string{"--group-add is not enforced: an ordinary user's engine has no groups to give but its user's own"}, nil
	}
	return nil, nil
}
