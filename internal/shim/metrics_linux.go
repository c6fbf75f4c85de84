package shim

import (
	"slices"
	"strings"

	v1 "github.com/containerd/cgroups/v3/cgroup1/stats"
	v2 "github.com/containerd/cgroups/v3/cgroup2/stats"
	"github.com/opencontainers/cgroups"
)

// metricsV1 writes measurements of a cgroup v1 as io.containerd.cgroups.v1.Metrics
// (containerd/cgroups, cgroup1/stats/metrics.proto): times in nanoseconds, sizes
// in bytes.
func metricsV1(s *cgroups.Stats, kills uint64) *v1.Metrics {
	cpu, mem := s.CpuStats, s.MemoryStats
	m := &v1.Metrics{
		Pids: &v1.PidsStat{Current: s.PidsStats.Current, Limit: s.PidsStats.Limit},
		CPU: &v1.CPUStat{
			Usage: &v1.CPUUsage{
				Total: cpu.CpuUsage.TotalUsage, Kernel: cpu.CpuUsage.UsageInKernelmode, User: cpu.CpuUsage.UsageInUsermode,
				PerCPU: cpu.CpuUsage.PercpuUsage,
			},
			Throttling: &v1.Throttle{
				Periods: cpu.ThrottlingData.Periods, ThrottledPeriods: cpu.ThrottlingData.ThrottledPeriods,
				ThrottledTime: cpu.ThrottlingData.ThrottledTime,
			},
		},
		Memory: memoryV1(mem),
		Blkio: &v1.BlkIOStat{
			IoServiceBytesRecursive: entriesV1(s.BlkioStats.IoServiceBytesRecursive),
			IoServicedRecursive:     entriesV1(s.BlkioStats.IoServicedRecursive),
			IoQueuedRecursive:       entriesV1(s.BlkioStats.IoQueuedRecursive),
			IoServiceTimeRecursive:  entriesV1(s.BlkioStats.IoServiceTimeRecursive),
			IoWaitTimeRecursive:     entriesV1(s.BlkioStats.IoWaitTimeRecursive),
			IoMergedRecursive:       entriesV1(s.BlkioStats.IoMergedRecursive),
			IoTimeRecursive:         entriesV1(s.BlkioStats.IoTimeRecursive),
			SectorsRecursive:        entriesV1(s.BlkioStats.SectorsRecursive),
		},
		MemoryOomControl: &v1.MemoryOomControl{OomKill: kills},
	}
	for size, h := range s.HugetlbStats {
		m.Hugetlb = append(m.Hugetlb, &v1.HugetlbStat{Pagesize: size, Usage: h.Usage, Max: h.MaxUsage, Failcnt: h.Failcnt})
	}
	slices.SortFunc(m.Hugetlb, func(a, b *v1.HugetlbStat) int { return strings.Compare(a.Pagesize, b.Pagesize) })
	return m
}

func memoryV1(mem cgroups.MemoryStats) *v1.MemoryStat {
	entry := func(d cgroups.MemoryData) *v1.MemoryEntry {
		return &v1.MemoryEntry{Limit: d.Limit, Usage: d.Usage, Max: d.MaxUsage, Failcnt: d.Failcnt}
	}
	raw := mem.Stats
	return &v1.MemoryStat{
		Cache: raw["cache"], RSS: raw["rss"], RSSHuge: raw["rss_huge"], MappedFile: raw["mapped_file"],
		Dirty: raw["dirty"], Writeback: raw["writeback"], PgPgIn: raw["pgpgin"], PgPgOut: raw["pgpgout"],
		PgFault: raw["pgfault"], PgMajFault: raw["pgmajfault"],
		InactiveAnon: raw["inactive_anon"], ActiveAnon: raw["active_anon"],
		InactiveFile: raw["inactive_file"], ActiveFile: raw["active_file"], Unevictable: raw["unevictable"],
		HierarchicalMemoryLimit: raw["hierarchical_memory_limit"], HierarchicalSwapLimit: raw["hierarchical_memsw_limit"],
		TotalCache: raw["total_cache"], TotalRSS: raw["total_rss"], TotalRSSHuge: raw["total_rss_huge"],
		TotalMappedFile: raw["total_mapped_file"], TotalDirty: raw["total_dirty"], TotalWriteback: raw["total_writeback"],
		TotalPgPgIn: raw["total_pgpgin"], TotalPgPgOut: raw["total_pgpgout"],
		TotalPgFault: raw["total_pgfault"], TotalPgMajFault: raw["total_pgmajfault"],
		TotalInactiveAnon: raw["total_inactive_anon"], TotalActiveAnon: raw["total_active_anon"],
		TotalInactiveFile: raw["total_inactive_file"], TotalActiveFile: raw["total_active_file"],
		TotalUnevictable: raw["total_unevictable"],
		Usage:            entry(mem.Usage), Swap: entry(mem.SwapUsage),
		Kernel: entry(mem.KernelUsage), KernelTCP: entry(mem.KernelTCPUsage),
	}
}

func entriesV1(in []cgroups.BlkioStatEntry) (out []*v1.BlkIOEntry) {
	for _, e := range in {
		out = append(out, &v1.BlkIOEntry{Op: e.Op, Major: e.Major, Minor: e.Minor, Value: e.Value})
	}
	return out
}

// metricsV2 writes measurements of a cgroup v2 as io.containerd.cgroups.v2.Metrics
// (cgroup2/stats/metrics.proto): times in microseconds, sizes in bytes.
func metricsV2(s *cgroups.Stats, kills uint64) *v2.Metrics {
	const usec = 1000
	cpu := s.CpuStats
	m := &v2.Metrics{
		Pids: &v2.PidsStat{Current: s.PidsStats.Current, Limit: s.PidsStats.Limit},
		CPU: &v2.CPUStat{
			UsageUsec: cpu.CpuUsage.TotalUsage / usec, UserUsec: cpu.CpuUsage.UsageInUsermode / usec,
			SystemUsec: cpu.CpuUsage.UsageInKernelmode / usec,
			NrPeriods:  cpu.ThrottlingData.Periods, NrThrottled: cpu.ThrottlingData.ThrottledPeriods,
			ThrottledUsec: cpu.ThrottlingData.ThrottledTime / usec,
			NrBursts:      cpu.BurstData.BurstsPeriods, BurstUsec: cpu.BurstData.BurstTime / usec,
			PSI: pressure(cpu.PSI),
		},
		Memory:       memoryV2(s.MemoryStats),
		MemoryEvents: &v2.MemoryEvents{OomKill: kills},
		Io:           &v2.IOStat{Usage: entriesV2(s.BlkioStats), PSI: pressure(s.BlkioStats.PSI)},
	}
	for size, h := range s.HugetlbStats {
		m.Hugetlb = append(m.Hugetlb, &v2.HugeTlbStat{Pagesize: size, Current: h.Usage, Max: h.MaxUsage, Failcnt: h.Failcnt})
	}
	slices.SortFunc(m.Hugetlb, func(a, b *v2.HugeTlbStat) int { return strings.Compare(a.Pagesize, b.Pagesize) })
	return m
}

func memoryV2(mem cgroups.MemoryStats) *v2.MemoryStat {
	raw := mem.Stats
	return &v2.MemoryStat{
		Anon: raw["anon"], File: raw["file"], KernelStack: raw["kernel_stack"], Slab: raw["slab"], Sock: raw["sock"],
		Shmem: raw["shmem"], FileMapped: raw["file_mapped"], FileDirty: raw["file_dirty"], FileWriteback: raw["file_writeback"],
		AnonThp: raw["anon_thp"], InactiveAnon: raw["inactive_anon"], ActiveAnon: raw["active_anon"],
		InactiveFile: raw["inactive_file"], ActiveFile: raw["active_file"], Unevictable: raw["unevictable"],
		SlabReclaimable: raw["slab_reclaimable"], SlabUnreclaimable: raw["slab_unreclaimable"],
		Pgfault: raw["pgfault"], Pgmajfault: raw["pgmajfault"],
		WorkingsetRefault:     raw["workingset_refault_anon"] + raw["workingset_refault_file"],
		WorkingsetActivate:    raw["workingset_activate_anon"] + raw["workingset_activate_file"],
		WorkingsetNodereclaim: raw["workingset_nodereclaim"],
		Pgrefill:              raw["pgrefill"], Pgscan: raw["pgscan"], Pgsteal: raw["pgsteal"], Pgactivate: raw["pgactivate"],
		Pgdeactivate: raw["pgdeactivate"], Pglazyfree: raw["pglazyfree"], Pglazyfreed: raw["pglazyfreed"],
		ThpFaultAlloc: raw["thp_fault_alloc"], ThpCollapseAlloc: raw["thp_collapse_alloc"],
		Usage: mem.Usage.Usage, UsageLimit: mem.Usage.Limit, MaxUsage: mem.Usage.MaxUsage,
		SwapUsage: mem.SwapOnlyUsage.Usage, SwapLimit: mem.SwapOnlyUsage.Limit, SwapMaxUsage: mem.SwapOnlyUsage.MaxUsage,
		PSI: pressure(mem.PSI),
	}
}

// entriesV2 gathers what the library has as one line a number into one entry a
// device.
func entriesV2(io cgroups.BlkioStats) (out []*v2.IOEntry) {
	entry := func(e cgroups.BlkioStatEntry) *v2.IOEntry {
		for _, known := range out {
			if known.Major == e.Major && known.Minor == e.Minor {
				return known
			}
		}
		out = append(out, &v2.IOEntry{Major: e.Major, Minor: e.Minor})
		return out[len(out)-1]
	}
	for _, e := range io.IoServiceBytesRecursive {
		switch e.Op {
		case "Read":
			entry(e).Rbytes = e.Value
		case "Write":
			entry(e).Wbytes = e.Value
		}
	}
	for _, e := range io.IoServicedRecursive {
		switch e.Op {
		case "Read":
			entry(e).Rios = e.Value
		case "Write":
			entry(e).Wios = e.Value
		}
	}
	return out
}

func pressure(p *cgroups.PSIStats) *v2.PSIStats {
	if p == nil {
		return nil
	}
	data := func(d cgroups.PSIData) *v2.PSIData {
		return &v2.PSIData{Avg10: d.Avg10, Avg60: d.Avg60, Avg300: d.Avg300, Total: d.Total}
	}
	return &v2.PSIStats{Some: data(p.Some), Full: data(p.Full)}
}
