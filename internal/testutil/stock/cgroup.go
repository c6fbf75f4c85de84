//go:build linux

package stock

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// groupPrefix begins the names of the cgroups that tests live in.
const groupPrefix = "wherry-stock-"

// hierarchy is one mounted hierarchy of cgroups (cgroups(7)).
type hierarchy struct {
	// mount is where it is mounted, kind and options how.
	mount, kind, options string
	// home is this process's cgroup in it, as a folder.
	home string
}

// hierarchies are those that are mounted.
func hierarchies() ([]hierarchy, error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, err
	}
	var list []hierarchy
	for line := range strings.Lines(string(mounts)) {
		before, after, _ := strings.Cut(line, " - ")
		at, how := strings.Fields(before), strings.Fields(after)
		if len(at) < 5 || len(how) < 3 || !strings.HasPrefix(how[0], "cgroup") {
			continue
		}
		h := hierarchy{mount: at[4], kind: how[0]}
		if h.kind == "cgroup" {
			// What is not an option of the super block is a controller or a name.
			h.options = strings.Join(slices.DeleteFunc(strings.Split(how[2], ","), func(o string) bool {
				return o == "rw" || o == "ro" || o == "xattr" || strings.Contains(o, "clone_children") || strings.HasPrefix(o, "release_agent")
			}), ",")
		}
		h.home = filepath.Join(h.mount, strings.TrimPrefix(memberOf(string(own), h.options), at[3]))
		list = append(list, h)
	}
	return list, nil
}

// memberOf finds a hierarchy's line in /proc/PID/cgroup: "number:options:path".
func memberOf(own, options string) string {
	for line := range strings.Lines(own) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) == 3 && parts[1] == options {
			return parts[2]
		}
	}
	return "/"
}

func (h hierarchy) path(name string) string { return filepath.Join(h.mount, name) }

// enter moves this process into a cgroup, as its folder.
func enter(dir string) error {
	return os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(os.Getpid())), 0)
}

// makeGroup makes a cgroup at the top of the hierarchy.
func (h hierarchy) makeGroup(name string) error {
	if err := h.delegate(h.mount); err != nil {
		return err
	}
	if err := os.Mkdir(h.path(name), 0o755); err != nil {
		return err
	}
	// To the kernel a group is one among the processes beside it: these tests
	// are to get no less than outside of it, where they would be about ten.
	for file, share := range map[string]string{"cpu.shares": "10240", "cpu.weight": "1000"} {
		err := os.WriteFile(filepath.Join(h.path(name), file), []byte(share), 0)
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) { // of another hierarchy
			return err
		}
	}
	if !strings.Contains(h.options, "cpuset") {
		return nil
	}
	// Nothing may enter a cpuset that has none (cpuset(7)).
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		data, err := os.ReadFile(h.path(file))
		if err == nil {
			err = os.WriteFile(filepath.Join(h.path(name), file), data, 0)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// delegate hands a cgroup's controllers down to those in it, in version 2.
func (h hierarchy) delegate(dir string) error {
	if h.kind != "cgroup2" {
		return nil
	}
	all, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil {
		return err
	}
	control := filepath.Join(dir, "cgroup.subtree_control")
	given, err := os.ReadFile(control)
	if err != nil {
		return err
	}
	for _, c := range strings.Fields(string(all)) {
		if !slices.Contains(strings.Fields(string(given)), c) {
			if err := os.WriteFile(control, []byte("+"+c), 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// removeGroup removes a cgroup and those in it, which hold no process any more.
func (h hierarchy) removeGroup(name string) error {
	var dirs []string
	err := filepath.WalkDir(h.path(name), func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			dirs = append(dirs, path)
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, dir := range slices.Backward(dirs) {
		err = errors.Join(err, unix.Rmdir(dir))
	}
	return err
}

// inGroups calls start in cgroups of the tests' own, and gives what removes
// these. What was left by tests that were killed is removed too.
func inGroups(start func() error) (remove func() error, err error) {
	list, err := hierarchies()
	if err != nil {
		return nil, err
	}
	name := groupPrefix + strconv.Itoa(os.Getpid())
	remove = func() (err error) {
		for _, h := range list {
			err = errors.Join(err, h.removeGroup(name))
		}
		return err
	}
	for _, h := range list {
		left, err := filepath.Glob(h.path(groupPrefix + "*"))
		if err != nil {
			return remove, err
		}
		for _, dir := range left {
			pid := strings.TrimPrefix(filepath.Base(dir), groupPrefix)
			if _, err := os.Stat("/proc/" + pid); errors.Is(err, fs.ErrNotExist) {
				_ = h.removeGroup(filepath.Base(dir)) // tests of another process namespace may live in it
			}
		}
	}
	// Back at home it leaves nothing in them.
	defer func() {
		for _, h := range list {
			err = errors.Join(err, enter(h.home))
		}
	}()
	for _, h := range list {
		if err := h.makeGroup(name); err != nil {
			return remove, fmt.Errorf("make the tests' cgroups: %w", err)
		}
		if err := enter(h.path(name)); err != nil {
			return remove, fmt.Errorf("enter the tests' cgroups: %w", err)
		}
	}
	return remove, start()
}

// mountGroups shows the tests their own cgroups as the whole of all. This
// process leaves the top one of version 2, which then can hand controllers down.
func mountGroups() error {
	list, err := hierarchies()
	if err != nil {
		return err
	}
	for _, h := range slices.Backward(list) {
		if err := unix.Unmount(h.mount, unix.MNT_DETACH); err != nil {
			return fmt.Errorf("unmount %s: %w", h.mount, err)
		}
	}
	for _, h := range list {
		if err := unix.Mount("cgroup", h.mount, h.kind, unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, h.options); err != nil {
			return fmt.Errorf("mount %s: %w", h.mount, err)
		}
		if h.kind != "cgroup2" {
			continue
		}
		init := h.path("init")
		if err := os.Mkdir(init, 0o755); err != nil {
			return err
		}
		if err := enter(init); err != nil {
			return err
		}
		if err := h.delegate(h.mount); err != nil {
			return err
		}
	}
	return nil
}
