package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/cgroups"
	"github.com/opencontainers/cgroups/fs2"
	"golang.org/x/sys/unix"
)

// Pids are the processes in the group and in those below it.
func (g *Group) Pids() ([]int, error) {
	pids, err := cgroups.GetAllPids(g.procs())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, g.explain("list the processes of", err)
	}
	return pids, nil
}

// CanFreeze tells whether the group can be frozen: version 1 needs the freezer
// controller, version 2 Linux 5.2.
func (g *Group) CanFreeze() bool {
	if g.v2 {
		return cgroups.PathExists(filepath.Join(g.dir(""), "cgroup.freeze"))
	}
	return cgroups.PathExists(g.dir("freezer"))
}

// Freeze stops all in the group, and returns when it is stopped. Unlike
// SIGSTOP, nothing in it or beside it notices.
func (g *Group) Freeze() error { return g.freeze("freeze", cgroups.Frozen) }

// Thaw lets a frozen group go on.
func (g *Group) Thaw() error { return g.freeze("thaw", cgroups.Thawed) }

func (g *Group) freeze(what string, state cgroups.FreezerState) error {
	if !g.CanFreeze() {
		return fmt.Errorf("%s the cgroup %q: it has no freezer: %w", what, g.path, errdefs.ErrNotImplemented)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.mgr.Freeze(state); err != nil {
		return g.explain(what, err)
	}
	return nil
}

// Kill sends SIGKILL to all in the group, frozen or not.
func (g *Group) Kill() error {
	if g.v2 {
		// Since Linux 5.14; nothing escapes by forking.
		switch err := cgroups.WriteFile(g.dir(""), "cgroup.kill", "1"); {
		case err == nil:
			return nil
		case !gone(err):
			return g.explain("kill all in", err)
		}
	}
	return g.killEach()
}

// killEach kills one after the other. A pid is held by a descriptor before it
// is looked at again, so that no process is killed that only has the number.
func (g *Group) killEach() error {
	pids, err := g.Pids()
	if err != nil {
		return err
	}
	held := make(map[int]int)
	defer func() {
		for _, fd := range held {
			unix.Close(fd)
		}
	}()
	for _, pid := range pids {
		if fd, err := unix.PidfdOpen(pid, 0); err == nil {
			held[pid] = fd
		}
	}
	if pids, err = g.Pids(); err != nil {
		return err
	}
	for pid, fd := range held {
		if !slices.Contains(pids, pid) {
			continue
		}
		if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
			return g.explain(fmt.Sprintf("kill process %d of", pid), err)
		}
	}
	// On version 1 what is frozen does not die.
	if !g.v2 && g.CanFreeze() {
		return g.Thaw()
	}
	return nil
}

// Stats are the library's, as they are read from the files of the group.
func (g *Group) Stats() (*cgroups.Stats, error) {
	s, err := g.mgr.GetStats()
	if err != nil {
		return nil, g.explain("measure", err)
	}
	return s, nil
}

// OOMKills counts the group's processes that the kernel ended for lack of
// memory.
//
// systemd removes a scope when its last process has ended, which may be before
// anybody could look. Then the kills count that the group above has seen since
// the process was placed, so it may be another's that is told of.
func (g *Group) OOMKills() (uint64, error) {
	n, err := g.mgr.OOMKillCount()
	if g.systemd && g.v2 && n == 0 && !cgroups.PathExists(g.dir("")) {
		above, err := g.killsAbove()
		if placed := g.above.Load(); err == nil && placed != nil && above > *placed {
			return above - *placed, nil
		}
		return 0, nil
	}
	// Without the controller, or on version 1 before Linux 4.13, there is no
	// such number.
	if gone(err) || (err != nil && g.dir("memory") == "") {
		return 0, nil
	}
	if err != nil {
		return 0, g.explain("read the memory events of", err)
	}
	return n, nil
}

// killsAbove counts the kills in the group above and all below that.
func (g *Group) killsAbove() (uint64, error) {
	return fs2.OOMKillCount(filepath.Dir(g.dir("")))
}

// gone tells of a file or group that is not there.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV)
}
