package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/opencontainers/cgroups"
)

// WatchOOM calls told, from one goroutine, whenever the group has run out of
// memory, until stop is called or the group is removed. Without the memory
// controller it never does.
func (g *Group) WatchOOM(told func()) (stop func(), err error) {
	var events *os.File
	var again func() bool
	if g.v2 {
		events, again, err = g.watchEvents()
	} else {
		events, again, err = g.watchControl()
	}
	if errors.Is(err, fs.ErrNotExist) {
		return func() {}, nil
	}
	if err != nil {
		return nil, g.explain("watch the memory of", err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, unix.SizeofInotifyEvent+unix.NAME_MAX+1)
		for {
			if _, err := events.Read(buf); err != nil {
				return
			}
			if again() {
				told()
			}
			if !cgroups.PathExists(g.procs()) {
				return
			}
		}
	}()
	return sync.OnceFunc(func() {
		events.Close()
		<-done
	}), nil
}

// watchEvents watches the file that the kernel counts in (cgroup-v2.rst,
// "memory.events"): any change wakes, a new kill counts.
func (g *Group) watchEvents() (*os.File, func() bool, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, nil, os.NewSyscallError("inotify_init1", err)
	}
	path := filepath.Join(g.dir(""), "memory.events")
	watched := map[string]uint32{path: unix.IN_MODIFY}
	if g.systemd {
		// The kernel tells of changes every 10 ms, and a scope may be removed
		// before: the folder above it tells of that.
		watched[filepath.Dir(g.dir(""))] = unix.IN_DELETE
	}
	for path, events := range watched {
		if _, err := unix.InotifyAddWatch(fd, path, events); err != nil {
			unix.Close(fd)
			return nil, nil, &os.PathError{Op: "inotify_add_watch", Path: path, Err: err}
		}
	}
	var last uint64
	return os.NewFile(uintptr(fd), path), func() bool {
		n, err := g.OOMKills()
		more := err == nil && n > last
		last = max(last, n)
		return more
	}, nil
}

// watchControl has the kernel count up an eventfd (cgroup-v1/memory.rst, "OOM
// Control"), which it does too when the group is removed.
func (g *Group) watchControl() (*os.File, func() bool, error) {
	dir := g.dir("memory")
	if dir == "" {
		return nil, nil, fs.ErrNotExist
	}
	control, err := cgroups.OpenFile(dir, "memory.oom_control", os.O_RDONLY)
	if err != nil {
		return nil, nil, err
	}
	defer control.Close() // the kernel keeps what it needs
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, nil, os.NewSyscallError("eventfd", err)
	}
	if err := cgroups.WriteFile(dir, "cgroup.event_control", fmt.Sprintf("%d %d", fd, control.Fd())); err != nil {
		unix.Close(fd)
		return nil, nil, err
	}
	return os.NewFile(uintptr(fd), "oom events of "+dir), func() bool { return cgroups.PathExists(dir) }, nil
}
