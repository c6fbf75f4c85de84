//go:build linux

package wall

import (
	"fmt"
	"maps"
	"slices"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Joined is the container in which a process is a further one.
type Joined struct {
	// Namespaces are the paths of the container's namespaces.
	Namespaces map[specs.LinuxNamespaceType]string
	// Over are binds that this process alone sees, over those of the container's
	// jail with the same targets: its code, say. None is mounted on.
	Over []Bind
}

// join brings the process into a container's namespaces, but for that of mounts,
// which follows when nothing of the host is needed any more, and the user
// namespace of a privileged caller, which is the last.
//
// All paths are opened first: from within a user namespace they are out of reach.
func (b *builder) join() error {
	if !b.host.CanFork {
		return fmt.Errorf("join a container: this build of the shim cannot (CGO_ENABLED=0): %w", errdefs.ErrNotImplemented)
	}
	list := make([]specs.LinuxNamespace, 0, len(b.opts.Joined.Namespaces))
	for _, t := range slices.Sorted(maps.Keys(b.opts.Joined.Namespaces)) {
		list = append(list, specs.LinuxNamespace{Type: t, Path: b.opts.Joined.Namespaces[t]})
	}
	joined := *b.spec
	joined.Linux = &specs.Linux{Namespaces: list}
	b.spec = &joined
	list, err := b.sorted()
	if err != nil {
		return err
	}
	opened := map[specs.LinuxNamespaceType]Register{}
	for i, n := range list {
		if n.Type == specs.UserNamespace && b.host.Privileged {
			continue // see openUser
		}
		b.call("openat", unix.SYS_OPENAT, "join the container's "+string(n.Type)+" namespace", cwd, str(n.Path), num(unix.O_RDONLY|unix.O_CLOEXEC), num(0))
		opened[n.Type] = b.kept(joinRegister + Register(i))
	}
	enter := func(t specs.LinuxNamespaceType) {
		if r := opened[t]; r != 0 {
			b.call("setns", unix.SYS_SETNS, "join the container's "+string(t)+" namespace", reg(r), num(kinds[t].flag))
			b.close(r)
		}
	}
	b.mounts = opened[specs.MountNamespace]
	// Where it is the caller's way to the others, the user namespace comes first.
	enter(specs.UserNamespace)
	split := false
	for _, n := range list {
		if n.Type != specs.UserNamespace && n.Type != specs.MountNamespace {
			enter(n.Type)
			split = split || n.Type == specs.PIDNamespace || n.Type == specs.TimeNamespace
		}
	}
	if split {
		b.plan.Steps = append(b.plan.Steps, Step{Op: Fork, Name: "fork", Args: []Arg{num(0)}, What: "go on in the container's process namespace"})
		b.call("setsid", unix.SYS_SETSID, "begin a session")
	}
	return nil
}

// enterJail goes where the container's jail stands, in a copy of its namespace
// of mounts: the tmpfs mounts there are the container's, and what is this
// process's own is put over the container's.
func (b *builder) enterJail() {
	b.call("unshare", unix.SYS_UNSHARE, "leave the host's mounts", num(unix.CLONE_NEWNS))
	b.call("mount", unix.SYS_MOUNT, "keep mounts apart from the host's", null, str("/"), null, num(unix.MS_REC|unix.MS_PRIVATE), null)
	over := b.opts.Joined.Over
	taken := overRegister
	for _, m := range over {
		// A mount that hangs nowhere passes from one namespace to another; Linux 5.2.
		b.call("open_tree", unix.SYS_OPEN_TREE, "take "+m.Source+" into the container", cwd, str(m.Source), num(unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC))
		b.kept(taken)
		taken++
	}
	b.call("setns", unix.SYS_SETNS, "join the container's mount namespace", reg(b.mounts), num(unix.CLONE_NEWNS))
	b.close(b.mounts)
	b.call("unshare", unix.SYS_UNSHARE, "make a namespace of mounts", num(unix.CLONE_NEWNS))
	for i, m := range over {
		what := "take " + m.Source + " into the container"
		fd := overRegister + Register(i)
		b.call("move_mount", unix.SYS_MOVE_MOUNT, what, reg(fd), str(""), cwd, str(m.Target), num(unix.MOVE_MOUNT_F_EMPTY_PATH))
		b.close(fd)
		b.attributes(m.Target, m, what)
	}
}
