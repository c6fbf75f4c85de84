//go:build linux

package wall

import (
	"encoding/binary"
	"path"
	"strconv"

	"golang.org/x/sys/unix"
)

// jail builds the process's file system on an empty folder, in a namespace of
// mounts of its own, and leaves the host's: a tmpfs with nothing in it but
// places for the binds.
func (b *builder) jail() {
	j := b.opts.Jail
	b.call("mount", unix.SYS_MOUNT, "keep mounts apart from the host's", null, str("/"), null, num(unix.MS_REC|unix.MS_PRIVATE), null)
	b.call("umask", unix.SYS_UMASK, "set the umask", num(0))
	b.call("mount", unix.SYS_MOUNT, "mount the container's root on "+j.Dir, str("tmpfs"), str(j.Dir), str("tmpfs"),
		num(unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC), str("mode=755,size=1m"))
	// A bind of a folder above must not take the jail along.
	b.call("mount", unix.SYS_MOUNT, "keep the container's root to itself", null, str(j.Dir), null, num(unix.MS_UNBINDABLE), null)
	b.call("chdir", unix.SYS_CHDIR, "enter "+j.Dir, str(j.Dir))
	made := map[string]bool{"/": true}
	for i := range j.Binds {
		b.bind(&j.Binds[i], made)
	}
	b.leave()
	b.attributes("/", Bind{ReadOnly: true}, "make the container's root read-only")
}

// leave takes the host's file system away.
func (b *builder) leave() {
	const what = "leave the host's file system"
	if b.host.Initramfs {
		// The jail is put over it, and the process, which gets no capability to
		// leave a root, into that.
		b.call("mount", unix.SYS_MOUNT, what, str("."), str("/"), null, num(unix.MS_MOVE), null)
		b.call("chroot", unix.SYS_CHROOT, what, str("."))
	} else {
		// With both in one place the old root comes to lie on the new one
		// (pivot_root(2)).
		b.call("pivot_root", unix.SYS_PIVOT_ROOT, what, str("."), str("."))
		b.call("umount2", unix.SYS_UMOUNT2, what, str("."), num(unix.MNT_DETACH))
	}
	b.call("chdir", unix.SYS_CHDIR, what, str("/"))
}

// folder makes a folder of the jail and those above it. Paths are relative to
// the jail.
func (b *builder) folder(p string, made map[string]bool) {
	if made[p] {
		return
	}
	b.folder(path.Dir(p), made)
	made[p] = true
	b.call("mkdirat", unix.SYS_MKDIRAT, "make the place "+p, cwd, str("."+p), num(0o755))
}

// bind puts a part of the host into the jail.
func (b *builder) bind(m *Bind, made map[string]bool) {
	at, source := "."+m.Target, m.Source
	if m.Host == "" {
		m.Host = m.Source
	}
	if m.File || m.Device {
		b.folder(path.Dir(m.Target), made)
		b.call("mknodat", unix.SYS_MKNODAT, "make the place "+m.Target, cwd, str(at), num(unix.S_IFREG|0o444), num(0))
	} else {
		b.folder(m.Target, made)
	}
	if source == "" {
		flags := unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
		if m.ReadOnly {
			flags |= unix.MS_RDONLY
		}
		b.call("mount", unix.SYS_MOUNT, "mount a tmpfs on "+m.Host, str("tmpfs"), str(at), str("tmpfs"), num(flags), str(m.tmpfs()))
		return
	}
	flags := unix.MS_BIND
	// In a user namespace what lies below a mount may not be uncovered.
	if m.Recursive || b.userns && !m.File && !m.Device {
		flags |= unix.MS_REC
	}
	b.call("mount", unix.SYS_MOUNT, "bind "+m.Host, str(source), str(at), null, num(flags), null)
	mine := *m
	mine.Recursive = flags&unix.MS_REC != 0
	what := "take suid, devices and programs from " + m.Host
	if m.ReadOnly {
		what = "mount " + m.Host + " read-only"
	}
	b.attributes(at, mine, what)
	b.cover(at, mine)
}

// tmpfs are a tmpfs's options (tmpfs(5)).
func (m *Bind) tmpfs() string {
	mode := m.Mode
	if mode == 0 {
		mode = 0o1777
	}
	options := "mode=" + strconv.FormatUint(uint64(mode), 8)
	if m.Size > 0 {
		options += ",size=" + strconv.FormatInt(m.Size, 10)
	}
	return options
}

// attributes sets what a bind may be used for, on all that is mounted below it
// too.
func (b *builder) attributes(at string, m Bind, what string) {
	attr, flags := uint64(unix.MOUNT_ATTR_NOSUID), uintptr(unix.MS_NOSUID)
	if m.ReadOnly {
		attr, flags = attr|unix.MOUNT_ATTR_RDONLY, flags|unix.MS_RDONLY
	}
	if !m.Device {
		attr, flags = attr|unix.MOUNT_ATTR_NODEV, flags|unix.MS_NODEV
	}
	if !m.Exec {
		attr, flags = attr|unix.MOUNT_ATTR_NOEXEC, flags|unix.MS_NOEXEC
	}
	if b.host.MountSetattr {
		how := 0
		if m.Recursive {
			how = unix.AT_RECURSIVE
		}
		// struct mount_attr: what to set, to clear, propagation, user namespace.
		set := binary.NativeEndian.AppendUint64(nil, attr)
		set = append(set, make([]byte, 24)...)
		b.call("mount_setattr", unix.SYS_MOUNT_SETATTR, what, cwd, str(at), num(how), blob(set), num(len(set)))
		return
	}
	// A remount sets all flags, so it names those that are there.
	below := m.Below
	if len(below) == 0 {
		below = []Mounted{{}}
	}
	for _, s := range below {
		if s.Path == "" || m.Recursive {
			b.call("mount", unix.SYS_MOUNT, what, null, str(path.Join(at, s.Path)), null, num(unix.MS_REMOUNT|unix.MS_BIND|flags|s.Flags), null)
		}
	}
}

// cover puts empty folders over file systems through which a process steers the
// kernel. The file tree refuses them as well, so one that cannot be covered
// (an owner that keeps others out, a mount that has gone) is not in the way.
func (b *builder) cover(at string, m Bind) {
	for _, s := range m.Below {
		if s.Kernel && s.Path != "" && m.Recursive {
			b.call("mount", unix.SYS_MOUNT, "cover "+path.Join(m.Host, s.Path), str("tmpfs"), str(path.Join(at, s.Path)), str("tmpfs"),
				num(unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC), str("mode=0,size=4k")).Optional = true
		}
	}
}
