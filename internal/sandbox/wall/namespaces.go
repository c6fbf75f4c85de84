//go:build linux

package wall

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// kind is a kind of namespace.
type kind struct {
	flag uintptr
	// order is the place in which namespaces are joined: that of mounts last
	// but for the user's, because the paths of the others are the host's.
	order int
}

var kinds = map[specs.LinuxNamespaceType]kind{
	specs.IPCNamespace:     {unix.CLONE_NEWIPC, 1},
	specs.UTSNamespace:     {unix.CLONE_NEWUTS, 2},
	specs.NetworkNamespace: {unix.CLONE_NEWNET, 3},
	specs.CgroupNamespace:  {unix.CLONE_NEWCGROUP, 4},
	specs.PIDNamespace:     {unix.CLONE_NEWPID, 5},
	specs.TimeNamespace:    {unix.CLONE_NEWTIME, 6},
	specs.MountNamespace:   {unix.CLONE_NEWNS, 7},
	specs.UserNamespace:    {unix.CLONE_NEWUSER, 8},
}

// Namespace finds a namespace in a specification.
func Namespace(spec *specs.Spec, t specs.LinuxNamespaceType) (n specs.LinuxNamespace, ok bool) {
	if spec.Linux != nil {
		for _, n := range spec.Linux.Namespaces {
			if n.Type == t {
				return n, true
			}
		}
	}
	return n, false
}

func (b *builder) has(t specs.LinuxNamespaceType) bool {
	_, ok := Namespace(b.spec, t)
	return ok
}

// own tells whether the process's namespace of a kind is not the host's.
func (b *builder) own(t specs.LinuxNamespaceType) bool {
	return b.has(t) || t == specs.NetworkNamespace && b.opts.NoNetwork
}

// sorted gives the specification's namespaces in the order of joining.
func (b *builder) sorted() ([]specs.LinuxNamespace, error) {
	if b.spec.Linux == nil {
		return nil, nil
	}
	list := slices.Clone(b.spec.Linux.Namespaces)
	for i, n := range list {
		if _, ok := kinds[n.Type]; !ok {
			return nil, fmt.Errorf("linux.namespaces: there is no kind of namespace %q: %w", n.Type, errdefs.ErrInvalidArgument)
		}
		if slices.ContainsFunc(list[:i], func(o specs.LinuxNamespace) bool { return o.Type == n.Type }) {
			return nil, fmt.Errorf("linux.namespaces names %s twice: %w", n.Type, errdefs.ErrInvalidArgument)
		}
		if n.Path != "" && !path.IsAbs(n.Path) {
			return nil, fmt.Errorf("linux.namespaces: the path %q of the %s namespace is not absolute: %w", n.Path, n.Type, errdefs.ErrInvalidArgument)
		}
	}
	slices.SortFunc(list, func(a, b specs.LinuxNamespace) int {
		return cmp.Compare(kinds[a.Type].order, kinds[b.Type].order)
	})
	return list, nil
}

// namespaces joins and makes them, but for the user namespace of a privileged
// caller: there the jail is built with the caller's own rights, and the
// namespace of mounts stays out of the process's hands.
func (b *builder) namespaces() error {
	list, err := b.sorted()
	if err != nil {
		return err
	}
	// A jail needs a namespace of mounts in any case.
	flags, fork, join := uintptr(unix.CLONE_NEWNS), uintptr(0), []Join(nil)
	split := false
	for _, n := range list {
		k := kinds[n.Type]
		switch {
		case n.Type == specs.UserNamespace && n.Path != "" && (!b.host.Privileged || !b.host.CanFork):
			why := "only a privileged user can join one"
			if b.host.Privileged {
				why = "this build of the shim cannot (CGO_ENABLED=0)"
			}
			return fmt.Errorf("join the user namespace %s: %s: %w", n.Path, why, errdefs.ErrNotImplemented)
		case n.Type == specs.UserNamespace:
		case n.Path != "":
			join = append(join, Join{Flag: int(k.flag), Kind: string(n.Type), Path: n.Path})
			split = split || n.Type == specs.PIDNamespace || n.Type == specs.TimeNamespace
		case n.Type == specs.PIDNamespace:
			fork, split = k.flag, true
		default:
			flags |= k.flag
			split = split || n.Type == specs.TimeNamespace
		}
	}
	if b.opts.NoNetwork && !b.has(specs.NetworkNamespace) {
		flags |= unix.CLONE_NEWNET
	}
	maps := Maps{UID: selfMap(b.user().UID, b.host.UID), GID: selfMap(b.user().GID, b.host.GID)}
	if !b.host.CanFork {
		b.plan.Clone = Clone{Flags: flags | fork, Join: join}
		if b.userns {
			b.plan.Clone.Flags |= unix.CLONE_NEWUSER
			b.plan.Clone.Maps = maps
		}
		if flags&unix.CLONE_NEWTIME != 0 {
			return fmt.Errorf("make a time namespace: this build of the shim cannot (CGO_ENABLED=0): %w", errdefs.ErrNotImplemented)
		}
		return nil
	}
	if b.userns {
		b.call("unshare", unix.SYS_UNSHARE, "make a user namespace", num(uintptr(unix.CLONE_NEWUSER)))
		b.write("/proc/self/setgroups", "deny", "map the user namespace")
		b.write("/proc/self/uid_map", maps.UID, "map the user namespace")
		b.write("/proc/self/gid_map", maps.GID, "map the user namespace")
	}
	for _, j := range join {
		what := fmt.Sprintf("join the %s namespace %s", j.Kind, j.Path)
		fd := b.open(j.Path, unix.O_RDONLY, what)
		b.call("setns", unix.SYS_SETNS, what, reg(fd), num(j.Flag))
		b.close(fd)
	}
	b.call("unshare", unix.SYS_UNSHARE, "make namespaces ("+names(flags)+")", num(flags))
	if flags&unix.CLONE_NEWTIME != 0 {
		b.timeOffsets()
	}
	if split {
		b.plan.Steps = append(b.plan.Steps, Step{Op: Fork, Name: "fork", Args: []Arg{num(fork)}, What: "make a process namespace"})
		b.call("setsid", unix.SYS_SETSID, "begin a session")
	}
	return nil
}

// names lists the kinds of namespaces in flags.
func names(flags uintptr) string {
	var list []string
	for t, k := range kinds {
		if flags&k.flag != 0 {
			list = append(list, string(t))
		}
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// selfMap maps the one id that anybody may map: their own.
func selfMap(inside, outside uint32) string {
	return fmt.Sprintf("%d %d 1\n", inside, outside)
}

// timeOffsets sets the clocks of a new time namespace (time_namespaces(7)).
func (b *builder) timeOffsets() {
	for _, clock := range []string{"boottime", "monotonic"} {
		if o, ok := b.spec.Linux.TimeOffsets[clock]; ok {
			b.write("/proc/self/timens_offsets", fmt.Sprintf("%s %d %d\n", clock, o.Secs, o.Nanosecs), "set the clock "+clock+" of the time namespace")
		}
	}
}

// asksUser tells whether a user namespace is to be entered once the jail stands.
// The jail is built with a privileged caller's own rights.
func (b *builder) asksUser() (n specs.LinuxNamespace, ok bool) {
	n, ok = Namespace(b.spec, specs.UserNamespace)
	return n, ok && !b.opts.Lesser && b.host.Privileged
}

// openUser opens the user namespace to join while the host's paths are there.
func (b *builder) openUser() error {
	n, ok := b.asksUser()
	switch {
	case !ok:
		return nil
	case n.Path != "":
		b.call("openat", unix.SYS_OPENAT, "join the user namespace "+n.Path, cwd, str(n.Path), num(unix.O_RDONLY|unix.O_CLOEXEC), num(0))
		b.kept(userRegister)
		return nil
	case !b.host.CanFork:
		return fmt.Errorf("make a user namespace for uid and gid mappings: this build of the shim cannot (CGO_ENABLED=0): %w", errdefs.ErrNotImplemented)
	}
	var err error
	b.plan.Maps, err = mapsOf(b.spec.Linux)
	return err
}

// enterUser makes or joins the user namespace.
func (b *builder) enterUser() {
	n, ok := b.asksUser()
	switch {
	case !ok:
	case n.Path != "":
		b.call("setns", unix.SYS_SETNS, "join the user namespace "+n.Path, reg(userRegister), num(unix.CLONE_NEWUSER))
		b.close(userRegister)
	default:
		b.call("unshare", unix.SYS_UNSHARE, "make a user namespace", num(uintptr(unix.CLONE_NEWUSER)))
		b.plan.Steps = append(b.plan.Steps, Step{Op: Ask, Name: "map", What: "map the user namespace"})
	}
}

func mapsOf(l *specs.Linux) (Maps, error) {
	if len(l.UIDMappings) == 0 || len(l.GIDMappings) == 0 {
		return Maps{}, fmt.Errorf("linux.namespaces asks for a user namespace, but uidMappings or gidMappings are empty: %w", errdefs.ErrInvalidArgument)
	}
	text := func(list []specs.LinuxIDMapping) string {
		var b strings.Builder
		for _, m := range list {
			fmt.Fprintf(&b, "%d %d %d\n", m.ContainerID, m.HostID, m.Size)
		}
		return b.String()
	}
	return Maps{UID: text(l.UIDMappings), GID: text(l.GIDMappings)}, nil
}
