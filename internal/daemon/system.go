//go:build linux

package daemon

import (
	"context"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/moby/moby/api/types/build"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/api/types/registry"
	"github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/api/types/system"
	apivolume "github.com/moby/moby/api/types/volume"
	"golang.org/x/sys/unix"

	"wherry/internal/buildinfo"
	"wherry/internal/daemon/admit"
)

// SystemInfo describes the engine, what it can do, and what it cannot.
func (d *Daemon) SystemInfo(ctx context.Context) (system.Info, error) {
	images, err := d.store.List(ctx)
	if err != nil {
		return system.Info{}, err
	}
	host, _ := os.Hostname()
	root := os.Geteuid() == 0
	walls, can := d.standing(), d.machine()
	has := func(feature string) bool { return slices.Contains(can.Features, feature) }
	info := system.Info{
		ID: d.id(), Name: host, Images: len(images),
		Driver: driver, DriverStatus: [][2]string{{"Backing", "one flattened tree per image, one level per container"}, {"Compiled code", d.cache()}},
		Plugins: system.PluginsInfo{
			Volume: []string{"local"}, Network: []string{"host", "null", "private"}, Log: []string{"json-file", "none"},
		},
		// The guest's engine bounds its memory where no cgroup does.
		MemoryLimit: true, SwapLimit: has(admit.FeatureSwap), OomKillDisable: has(admit.FeatureOOMControl),
		CPUCfsPeriod: has(admit.FeatureCPU), CPUCfsQuota: has(admit.FeatureCPU), CPUShares: has(admit.FeatureCPU),
		CPUSet: has(admit.FeatureCpuset), PidsLimit: has(admit.FeaturePids), IPv4Forwarding: true,
		NFd: countDir("/proc/self/fd"), NGoroutines: runtime.NumGoroutine(), NEventsListener: d.events.Listeners(),
		SystemTime: time.Now().Format(time.RFC3339Nano), LoggingDriver: "json-file",
		CgroupDriver: cgroupDriver(can), CgroupVersion: strings.TrimPrefix(can.Cgroup, "v"),
		KernelVersion: kernelVersion(), OperatingSystem: osName(), OSType: "linux", Architecture: machine(),
		IndexServerAddress: "https://index.docker.io/v1/", RegistryConfig: &registry.ServiceConfig{},
		NCPU: runtime.NumCPU(), MemTotal: int64(memTotal()), DockerRootDir: d.cfg.DataRoot,
		ServerVersion: buildinfo.Version, Runtimes: map[string]system.RuntimeWithStatus{}, DefaultRuntime: admit.DefaultRuntime,
		Swarm: swarm.Info{LocalNodeState: swarm.LocalNodeStateInactive}, LiveRestoreEnabled: true,
		Isolation: "", Labels: []string{}, SecurityOptions: securityOptions(walls, root), Warnings: warnings(walls, can, root),
		HTTPProxy: os.Getenv("HTTP_PROXY"), HTTPSProxy: os.Getenv("HTTPS_PROXY"), NoProxy: os.Getenv("NO_PROXY"),
	}
	for _, r := range admit.Runtimes {
		info.Runtimes[r] = system.RuntimeWithStatus{Runtime: system.Runtime{Path: d.cfg.ShimPath, Type: r}}
	}
	for _, c := range d.all() {
		info.Containers++
		switch s := c.snapshot().State; {
		case s.Status == container.StatePaused:
			info.ContainersPaused++
		case s.Live():
			info.ContainersRunning++
		default:
			info.ContainersStopped++
		}
	}
	return info, nil
}

// cgroupDriver is how containers' cgroups are made.
func cgroupDriver(m admit.Machine) string {
	switch {
	case m.Cgroup == "":
		return "none"
	case m.Systemd():
		return "systemd"
	default:
		return "cgroupfs"
	}
}

// SystemVersion tells the versions of the engine's parts. The API's own are
// the API's to add.
func (d *Daemon) SystemVersion(context.Context) (system.VersionResponse, error) {
	return system.VersionResponse{
		Platform: system.PlatformInfo{Name: "Wherry"},
		Version:  buildinfo.Version, Os: "linux", Arch: runtime.GOARCH, GoVersion: runtime.Version(), KernelVersion: kernelVersion(),
		GitCommit: buildinfo.Commit, BuildTime: buildinfo.Time,
		Components: []system.ComponentVersion{{
			// docker version shows the component of this name, by these details.
			Name: "Engine", Version: buildinfo.Version,
			Details: map[string]string{
				"Os": "linux", "Arch": runtime.GOARCH, "KernelVersion": kernelVersion(), "GoVersion": runtime.Version(),
				"GitCommit": buildinfo.Commit, "BuildTime": buildinfo.Time, "Experimental": "false", "Shim": d.cfg.ShimPath,
			},
		}},
	}, nil
}

// SystemDiskUsage measures what the kinds take on the disk; all of them where
// none is named. With verbose the things themselves are listed.
func (d *Daemon) SystemDiskUsage(ctx context.Context, kinds []system.DiskUsageObject, verbose bool) (system.DiskUsage, error) {
	var u system.DiskUsage
	if len(kinds) == 0 {
		kinds = []system.DiskUsageObject{system.ContainerObject, system.ImageObject, system.VolumeObject, system.BuildCacheObject}
	}
	for _, k := range kinds {
		switch k {
		case system.ContainerObject:
			u.ContainerUsage = d.containerUsage(verbose)
		case system.VolumeObject:
			u.VolumeUsage = d.volumeUsage(verbose)
		case system.BuildCacheObject:
			u.BuildCacheUsage = &build.DiskUsage{}
		case system.ImageObject:
			var err error
			if u.ImageUsage, err = d.imageUsage(ctx, verbose); err != nil {
				return u, err
			}
		}
	}
	return u, nil
}

func (d *Daemon) containerUsage(verbose bool) *container.DiskUsage {
	u := &container.DiskUsage{}
	for _, c := range d.all() {
		rec := c.snapshot()
		s := d.summary(rec, true)
		u.TotalCount++
		u.TotalSize += s.SizeRw
		if rec.State.Live() {
			u.ActiveCount++
		} else {
			u.Reclaimable += s.SizeRw
		}
		if verbose {
			u.Items = append(u.Items, s)
		}
	}
	return u
}

func (d *Daemon) volumeUsage(verbose bool) *apivolume.DiskUsage {
	u := &apivolume.DiskUsage{}
	for _, v := range d.volumes.List() {
		size, users := d.volumes.Size(v), int64(len(d.volumes.Holders(v.Name)))
		u.TotalCount++
		u.TotalSize += size
		if users > 0 {
			u.ActiveCount++
		} else {
			u.Reclaimable += size
		}
		if verbose {
			item := volumeOf(v)
			item.UsageData = &apivolume.UsageData{RefCount: users, Size: size}
			u.Items = append(u.Items, item)
		}
	}
	return u
}

func (d *Daemon) imageUsage(ctx context.Context, verbose bool) (*image.DiskUsage, error) {
	all, err := d.store.DiskUsage(ctx)
	if err != nil {
		return nil, err
	}
	u := &image.DiskUsage{TotalCount: int64(len(all.Images)), TotalSize: all.Content + all.Trees, Reclaimable: all.Reclaimable}
	for _, i := range all.Images {
		if i.Held {
			u.ActiveCount++
		}
		if verbose {
			s := d.imageSummary(i.Image, false)
			// Clients sum up the parts and compare with the whole.
			s.Size += i.Tree
			s.SharedSize = i.Shared
			u.Items = append(u.Items, s)
		}
	}
	return u, nil
}

func countDir(dir string) int {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0
	}
	return len(entries)
}

func kernelVersion() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return "unknown"
	}
	return unix.ByteSliceToString(u.Release[:])
}

// machine is uname -m, as Docker shows the architecture.
func machine() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return runtime.GOARCH
	}
	return unix.ByteSliceToString(u.Machine[:])
}

// osName is PRETTY_NAME of os-release(5).
func osName() string {
	for _, path := range []string{"/etc/os-release", "/usr/lib/os-release"} {
		b, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(b)) {
			if v, ok := strings.CutPrefix(strings.TrimSpace(line), "PRETTY_NAME="); ok {
				return strings.Trim(v, `"'`)
			}
		}
	}
	return "Linux"
}
