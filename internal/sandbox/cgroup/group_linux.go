package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/cgroups"
	"github.com/opencontainers/cgroups/manager"
	"github.com/opencontainers/cgroups/systemd"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// root is where Linux systems mount the cgroup file systems: the one of
// version 2 itself, or a folder with those of version 1 in it (cgroups(7)).
const root = "/sys/fs/cgroup"

// Config says which group is wanted.
type Config struct {
	// ID names what the group is for, in descriptions that systemd shows.
	ID string
	// Path is a specification's linux.cgroupsPath: an absolute path below the
	// root of the cgroup file systems, a relative one below the caller's own
	// group, or SLICE:PREFIX:NAME for the scope PREFIX-NAME.scope of systemd's
	// (an empty SLICE is system.slice, or user.slice for a user's systemd).
	Path string
	// Resources are the limits, nil for none. Devices are not looked at: see
	// [Group.Place].
	Resources *specs.LinuxResources
}

// State is what is kept of a group so that another process can find it again.
type State struct {
	ID   string `json:"id"`
	Path string `json:"path"`
	// Paths are the group's folders: by controller on version 1, one under an
	// empty name on version 2.
	Paths map[string]string `json:"paths"`
}

// Group is a control group. Its methods may be called from several goroutines.
type Group struct {
	id, path string
	systemd  bool
	v2       bool
	// above is what killsAbove was when the process was placed; nil where it was
	// placed by another program.
	above atomic.Pointer[uint64]

	mu sync.Mutex
	// mgr is of config.
	mgr    cgroups.Manager
	config *cgroups.Cgroup
	// last are the limits as they were set last; updates give only some.
	last cgroups.Resources
	// made tells whether the folders exist; systemd makes them with the first
	// process.
	made bool
}

// Create makes a group with its limits set and nothing in it. A scope of
// systemd's, which cannot be empty, is made by [Group.Place].
//
// A path that no group may have gives ErrInvalidArgument, one that is in use
// ErrAlreadyExists, a limit whose controller is missing or a machine without
// cgroups ErrFailedPrecondition, and a lack of rights ErrPermissionDenied.
func Create(c Config) (*Group, error) {
	r, err := convert(c.Resources)
	if err != nil {
		return nil, err
	}
	g, err := open(c.ID, c.Path, r, nil)
	if err != nil {
		return nil, err
	}
	if err := g.unused(); err != nil {
		return nil, err
	}
	if g.systemd {
		return g, nil
	}
	if err := g.mgr.Apply(-1); err != nil {
		// What is half made goes again.
		return nil, errors.Join(g.explain("make", err), g.mgr.Destroy())
	}
	g.made = true
	if err := g.limit(r); err != nil {
		return nil, errors.Join(err, g.Destroy())
	}
	if err := g.denyDevices(); err != nil {
		return nil, errors.Join(err, g.Destroy())
	}
	return g, nil
}

// Load finds a group that another process made.
func Load(s State) (*Group, error) {
	if len(s.Paths) == 0 {
		return nil, fmt.Errorf("the record of the cgroup %q names no folder: %w", s.Path, errdefs.ErrInvalidArgument)
	}
	for _, p := range s.Paths {
		if !strings.HasPrefix(p, root+"/") || filepath.Clean(p) != p {
			return nil, fmt.Errorf("the record of the cgroup %q names %q, want a folder below %s: %w", s.Path, p, root, errdefs.ErrInvalidArgument)
		}
	}
	g, err := open(s.ID, s.Path, &cgroups.Resources{}, s.Paths)
	if err != nil {
		return nil, err
	}
	g.made = true
	return g, nil
}

// open makes a Group without making anything on the system.
func open(id, path string, r *cgroups.Resources, paths map[string]string) (*Group, error) {
	skipDevices(r)
	cg := &cgroups.Cgroup{Resources: r, Rootless: os.Geteuid() != 0}
	g := &Group{id: id, path: path, v2: cgroups.IsCgroup2UnifiedMode(), last: *r}
	if slice, prefix, name, ok := scope(path); ok {
		g.systemd = true
		cg.Systemd, cg.Parent, cg.ScopePrefix, cg.Name = true, slice, prefix, name
		if !systemd.IsRunningSystemd() {
			return nil, fmt.Errorf("the cgroup %q is a scope of systemd's, which does not run here; use a path such as /wherry/%s (Docker: native.cgroupdriver=cgroupfs, containerd: SystemdCgroup=false): %w",
				path, name, errdefs.ErrFailedPrecondition)
		}
		if prefix == "" || name == "" || strings.ContainsAny(prefix+name, "/\x00") || (slice != "" && !strings.HasSuffix(slice, ".slice")) {
			return nil, fmt.Errorf("the cgroup %q is not of systemd's form SLICE:PREFIX:NAME, as in system.slice:wherry:box: %w", path, errdefs.ErrInvalidArgument)
		}
		if cg.Rootless && !g.v2 {
			return nil, fmt.Errorf("the cgroup %q: an ordinary user has cgroups of version 2 only, and this machine has version 1: %w", path, errdefs.ErrFailedPrecondition)
		}
		if !cg.Rootless {
			cg.SystemdProps = deviceProperties()
		}
	} else if clean := filepath.Clean("/" + path); path == "" || clean == "/" || strings.ContainsRune(path, 0) {
		return nil, fmt.Errorf("the cgroup %q is the root of all; want a path of the container's own, such as /wherry/box: %w", path, errdefs.ErrInvalidArgument)
	} else {
		cg.Path = clean
		if !filepath.IsAbs(path) {
			cg.Path = clean[1:]
		}
	}
	if !mounted(g.v2) {
		return nil, fmt.Errorf("the cgroup %q cannot be made: no cgroup file system is mounted at %s; mount one, or leave the limits out: %w", path, root, errdefs.ErrFailedPrecondition)
	}
	g.config = cg
	var err error
	if g.mgr, err = manager.NewWithPaths(cg, paths); err != nil {
		return nil, g.explain("find", err)
	}
	for _, p := range g.mgr.GetPaths() {
		// The depth of /sys/fs/cgroup/memory, which is no group but all.
		if rest := strings.TrimPrefix(p, root+"/"); rest == p || (!g.v2 && !strings.Contains(rest, "/")) {
			return nil, fmt.Errorf("the cgroup %q would be at %s, which is not a container's own: %w", path, p, errdefs.ErrInvalidArgument)
		}
	}
	return g, nil
}

// scope takes systemd's form of a path apart.
func scope(path string) (slice, prefix, name string, ok bool) {
	parts := strings.Split(path, ":")
	if len(parts) != 3 || strings.Contains(path, "/") {
		return "", "", "", false
	}
	return parts[0], parts[1], parts[2], true
}

// mounted tells whether there is a cgroup file system at all.
func mounted(v2 bool) bool {
	if v2 {
		return true
	}
	mounts, err := cgroups.GetCgroupMounts(false)
	return err == nil && len(mounts) > 0
}

// unused refuses a group that is somebody's: its limits would change, and all
// in it would be ended with the container.
func (g *Group) unused() error {
	for _, p := range g.mgr.GetPaths() {
		pids, err := cgroups.GetAllPids(p)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return g.explain("look into", err)
		}
		children, err := filepath.Glob(filepath.Join(p, "*", "cgroup.procs"))
		if err != nil {
			return err
		}
		if len(pids)+len(children) > 0 {
			return fmt.Errorf("the cgroup %s is in use (%d processes and %d groups in it); name another one, or end what is there: %w", p, len(pids), len(children), errdefs.ErrAlreadyExists)
		}
	}
	return nil
}

// Place puts a process into the group, where all its limits then hold; what the
// process starts later is in it too. Devices are refused to it, but for
// /dev/null and its harmless relatives, where this program may say so (root).
func (g *Group) Place(pid int) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.systemd {
		if err := g.mgr.AddPid("", pid); err != nil {
			return g.explain(fmt.Sprintf("put process %d into", pid), err)
		}
		return nil
	}
	if g.made {
		// The scope of an earlier process, which has ended.
		if err := g.mgr.Destroy(); err != nil {
			return g.explain("remove", err)
		}
		var err error
		if g.mgr, err = manager.New(g.config); err != nil {
			return g.explain("find", err)
		}
	}
	if err := g.mgr.Apply(pid); err != nil {
		return g.explain(fmt.Sprintf("have systemd put process %d into", pid), err)
	}
	g.made = true
	if n, err := g.killsAbove(); g.v2 && err == nil {
		g.above.Store(&n)
	}
	r := g.last
	return g.limit(&r)
}

// Update changes limits of the living group: those that are set in r.
func (g *Group) Update(res *specs.LinuxResources) error {
	r, err := convert(res)
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.complete(r)
	if err := g.limit(r); err != nil {
		return err
	}
	if r.Memory != 0 {
		g.last.Memory = r.Memory
	}
	if r.MemorySwap != 0 {
		g.last.MemorySwap = r.MemorySwap
	}
	if r.CpuQuota != 0 {
		g.last.CpuQuota = r.CpuQuota
	}
	if r.CpuPeriod != 0 {
		g.last.CpuPeriod = r.CpuPeriod
	}
	return nil
}

// limit sets limits, whose controllers must be there.
func (g *Group) limit(r *cgroups.Resources) error {
	skipDevices(r)
	if err := g.available(r); err != nil {
		return err
	}
	if err := g.mgr.Set(r); err != nil {
		return g.explain("set the limits of", err)
	}
	return nil
}

// Destroy removes the group, in which nothing lives any more.
func (g *Group) Destroy() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.made {
		return nil
	}
	// The library forgets the paths that it has removed.
	if err := g.mgr.Destroy(); err != nil {
		return g.explain("remove", err)
	}
	g.made = false
	return nil
}

// State is what [Load] needs. It is complete from the start, also where
// systemd has yet to make the group.
func (g *Group) State() State {
	paths := make(map[string]string)
	for k, p := range g.mgr.GetPaths() {
		paths[k] = p
	}
	return State{ID: g.id, Path: g.path, Paths: paths}
}

// Version is 1 or 2.
func (g *Group) Version() int {
	if g.v2 {
		return 2
	}
	return 1
}

// dir is the folder of a controller, empty where there is none.
func (g *Group) dir(controller string) string {
	return g.mgr.Path(controller)
}

// procs is a folder that lists the group's processes.
func (g *Group) procs() string {
	if g.v2 {
		return g.mgr.Path("")
	}
	for _, c := range []string{"freezer", "pids", "memory", "cpu", "devices"} {
		if p := g.mgr.Path(c); p != "" {
			return p
		}
	}
	for _, p := range g.mgr.GetPaths() {
		return p
	}
	return ""
}

// explain says what failed, and classifies it.
func (g *Group) explain(what string, err error) error {
	switch {
	case os.Geteuid() != 0 && (errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.EROFS)):
		return fmt.Errorf("%s the cgroup %q: %w; an ordinary user has only what was delegated: with systemd and cgroups of version 2 name it user.slice:wherry:NAME (the user's own systemd must run), else run as root or leave the limits out: %w",
			what, g.path, err, errdefs.ErrPermissionDenied)
	case errors.Is(err, unix.EROFS):
		return fmt.Errorf("%s the cgroup %q: %w; %s is mounted read-only here, as in most containers: %w", what, g.path, err, root, errdefs.ErrFailedPrecondition)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s the cgroup %q: %w: %w", what, g.path, err, errdefs.ErrPermissionDenied)
	}
	return fmt.Errorf("%s the cgroup %q: %w", what, g.path, err)
}
