//go:build linux

package wall

import (
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Host is what a plan may build on.
type Host struct {
	// UID and GID are the caller's own.
	UID, GID uint32
	// Privileged says that the caller may make namespaces and mounts by itself.
	// Others get a user namespace, in which they are the user that the
	// specification names.
	Privileged bool
	// CanFork says that plans run in a process with one thread.
	CanFork bool
	// MountSetattr says that the kernel has mount_setattr(2).
	MountSetattr bool
	// Initramfs says that the root is the one the kernel begins with, which
	// pivot_root(2) cannot take away.
	Initramfs bool
	// Landlock is the ABI of landlock, 0 for none.
	Landlock int
	// LastCap is the highest capability that the kernel knows.
	LastCap int
	// Setgroups says that the caller's user namespace allows setgroups(2).
	Setgroups bool
	// AppArmor is the file through which a process changes its profile, empty
	// without AppArmor; SELinux says that there is SELinux.
	AppArmor string
	SELinux  bool
}

// Bind is a part of a jail: something that the process may reach.
type Bind struct {
	// Source is the host's path. It is empty for a tmpfs.
	Source string
	// Target is the path in the jail, absolute.
	Target string
	// Host is what people call it in messages; empty is Source.
	Host string
	// File says that it is a file, Device a device node.
	File, Device bool
	// ReadOnly keeps it and everything mounted below it from being written.
	ReadOnly bool
	// Recursive takes what is mounted below Source along.
	Recursive bool
	// Exec allows code to be mapped from it.
	Exec bool
	// Below is what is mounted at Source and below it. Kernel file systems among
	// it are covered; the flags are needed where the kernel lacks
	// mount_setattr(2).
	Below []Mounted
	// Size and Mode are a tmpfs's: bytes, 0 for no bound, and permission bits.
	Size int64
	Mode uint32
}

// Mounted is a mount at or below a bind's source.
type Mounted struct {
	// Path is relative to the source, empty for the source itself.
	Path string
	// Flags are the mount's own, as of mount(2).
	Flags uintptr
	// Kernel says that it is of a file system that steers the kernel.
	Kernel bool
}

// Jail is the file system that the process gets.
type Jail struct {
	// Dir is an empty folder of the host on which it is built. Without one the
	// process stays in the host's file system, and landlock alone keeps it to
	// the binds, whose targets are host paths then.
	Dir   string
	Binds []Bind
}

// Options are what a specification does not say.
type Options struct {
	// Name is what the process is called in lists.
	Name string
	Jail Jail
	// NoNetwork says that the process may not open connections.
	NoNetwork bool
	// Loopback brings the loopback of a new network namespace up.
	Loopback bool
	// Lesser leaves out what only namespaces can do: what is left needs no
	// privilege.
	Lesser bool
	// Pause makes a process that does nothing once it is closed in, but to keep
	// its namespaces for others.
	Pause bool
	// Joined makes the process a further one of a container that stands, whose
	// jail has Jail's binds. What belongs to the container as a whole is not set
	// again.
	Joined *Joined
}

// builder collects a plan.
type builder struct {
	plan *Plan
	spec *specs.Spec
	host Host
	opts Options
	// userns says that the process has a user namespace from the beginning on,
	// as users without privileges need it for everything else.
	userns bool
	// mounts is the namespace of mounts that a further process joins.
	mounts Register
}

// New makes the plan for a specification. A specification that asks for what
// cannot be had is ErrInvalidArgument, or ErrNotImplemented where another build
// of this program could do it.
func New(spec *specs.Spec, host Host, opts Options) (*Plan, error) {
	b := &builder{plan: &Plan{}, spec: spec, host: host, opts: opts}
	b.userns = !host.Privileged && !opts.Lesser
	b.call("prctl", unix.SYS_PRCTL, "name the process", num(unix.PR_SET_NAME), str(opts.Name)).Thread = true
	switch {
	case opts.Lesser:
	case opts.Joined != nil:
		if err := b.join(); err != nil {
			return nil, err
		}
	default:
		if err := b.namespaces(); err != nil {
			return nil, err
		}
		if err := b.names(); err != nil {
			return nil, err
		}
	}
	b.oomScore()
	if err := b.rlimits(); err != nil {
		return nil, err
	}
	if err := b.openLabels(); err != nil {
		return nil, err
	}
	if err := b.openUser(); err != nil {
		return nil, err
	}
	switch {
	case opts.Lesser:
	case opts.Joined != nil:
		b.enterJail()
	case opts.Jail.Dir != "":
		b.jail()
	}
	b.enterUser()
	b.identity()
	b.noNewPrivileges()
	b.landlock()
	b.setLabels()
	// A change of credentials takes the death signal back, so it comes last.
	b.call("prctl", unix.SYS_PRCTL, "tie the process to its shim", num(unix.PR_SET_PDEATHSIG), num(unix.SIGKILL)).Thread = true
	if host.CanFork {
		// Go has no descriptors of its own yet. Kernels before 5.9 lack the call;
		// what was opened here is closed by name.
		b.call("close_range", unix.SYS_CLOSE_RANGE, "close what is open", num(4), num(^uint32(0)), num(0)).Optional = true
	}
	if opts.Pause {
		b.pause()
	}
	return b.plan, nil
}

// call adds a system call.
func (b *builder) call(name string, number uintptr, what string, args ...Arg) *Step {
	b.plan.Steps = append(b.plan.Steps, Step{Name: name, Number: number, Args: args, What: what})
	return &b.plan.Steps[len(b.plan.Steps)-1]
}

// result gives the result of the step that was added last, until the next such
// one.
func (b *builder) result() Register {
	b.plan.Steps[len(b.plan.Steps)-1].Out = scratchRegister
	return scratchRegister
}

// kept gives it in a register of its own.
func (b *builder) kept(r Register) Register {
	b.plan.Steps[len(b.plan.Steps)-1].Out = r
	return r
}

// The registers, each with one use, so that none is overwritten before its
// time.
const (
	scratchRegister Register = iota + 1
	userRegister
	appArmorRegister
	selinuxRegister
	rulesetRegister
	// joinRegister is the first of as many as there are kinds of namespaces,
	// overRegister that of the last ones.
	joinRegister
	overRegister = joinRegister + 8
)

// open adds an opening of a file and gives its descriptor.
func (b *builder) open(path string, flags int, what string) Register {
	b.call("openat", unix.SYS_OPENAT, what, cwd, str(path), num(flags|unix.O_CLOEXEC), num(0))
	return b.result()
}

func (b *builder) close(r Register) {
	b.call("close", unix.SYS_CLOSE, "close a file", reg(r))
}

// write adds the writing of a text to a file.
func (b *builder) write(path, text, what string) {
	fd := b.open(path, unix.O_WRONLY, what)
	b.call("write", unix.SYS_WRITE, what, reg(fd), str(text), num(len(text)))
	b.close(fd)
}

// optional makes the steps from number i on one whole that may fail: what
// follows a failed step of them is passed over.
func (b *builder) optional(i int) {
	for end := len(b.plan.Steps); i < end; i++ {
		s := &b.plan.Steps[i]
		s.Optional, s.Skip = true, end-i-1
	}
}
