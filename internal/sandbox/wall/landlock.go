//go:build linux

package wall

import (
	"cmp"
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// Rights on files and folders (landlock(7), linux/landlock.h).
const (
	readFile   = unix.LANDLOCK_ACCESS_FS_READ_FILE
	writeFile  = unix.LANDLOCK_ACCESS_FS_WRITE_FILE
	readFolder = unix.LANDLOCK_ACCESS_FS_READ_DIR
	change     = unix.LANDLOCK_ACCESS_FS_REMOVE_DIR | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE |
		unix.LANDLOCK_ACCESS_FS_MAKE_DIR | unix.LANDLOCK_ACCESS_FS_MAKE_REG | unix.LANDLOCK_ACCESS_FS_MAKE_SYM
)

// rightsOf are all the rights on files that an ABI knows: those are forbidden
// where no rule grants them.
func rightsOf(abi int) uint64 {
	all := uint64(unix.LANDLOCK_ACCESS_FS_MAKE_SYM<<1 - 1)
	if abi >= 2 {
		all |= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if abi >= 3 {
		all |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	if abi >= 5 {
		all |= unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	}
	return all
}

// rights are those that the process has on a bind: none to execute, to make
// devices, sockets and FIFOs, or to steer devices.
func (m *Bind) rights(abi int) uint64 {
	r := uint64(readFile)
	if !m.ReadOnly || m.Device {
		r |= writeFile
		if !m.Device {
			r |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
		}
	}
	if !m.File && !m.Device {
		r |= readFolder
		if !m.ReadOnly {
			r |= change | unix.LANDLOCK_ACCESS_FS_REFER
		}
	}
	return r & rightsOf(abi)
}

// landlock keeps the process to the binds, also where something of the host
// were left in its reach; to no TCP where it has no network; and to its own
// abstract sockets and signals.
func (b *builder) landlock() {
	abi := b.host.Landlock
	if abi == 0 {
		return
	}
	order := binary.NativeEndian
	attr := order.AppendUint64(nil, rightsOf(abi))
	if abi >= 4 {
		net := uint64(0)
		if b.opts.NoNetwork {
			net = unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP
		}
		attr = order.AppendUint64(attr, net)
	}
	if abi >= 6 {
		attr = order.AppendUint64(attr, unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET|unix.LANDLOCK_SCOPE_SIGNAL)
	}
	b.call("landlock_create_ruleset", unix.SYS_LANDLOCK_CREATE_RULESET, "make the landlock rules", blob(attr), num(len(attr)), num(0))
	rules := b.kept(rulesetRegister)
	for i := range b.opts.Jail.Binds {
		b.rule(rules, &b.opts.Jail.Binds[i])
	}
	b.call("landlock_restrict_self", unix.SYS_LANDLOCK_RESTRICT_SELF, "keep to the landlock rules", reg(rules), num(0)).Thread = true
	b.close(rules)
}

// rule grants the rights on one bind.
func (b *builder) rule(rules Register, m *Bind) {
	at := m.Target
	if b.opts.Lesser {
		at = m.Source
	}
	if at == "" {
		return // a tmpfs that only a jail has
	}
	what := "grant " + cmp.Or(m.Host, m.Source) + " by landlock"
	fd := b.open(at, unix.O_PATH, what)
	// struct landlock_path_beneath_attr: the rights, the descriptor.
	attr := binary.NativeEndian.AppendUint64(nil, m.rights(b.host.Landlock))
	attr = append(attr, 0, 0, 0, 0)
	b.call("landlock_add_rule", unix.SYS_LANDLOCK_ADD_RULE, what, reg(rules), num(unix.LANDLOCK_RULE_PATH_BENEATH), Arg{Blob: attr, isBlob: true, poke: fd, at: 8}, num(0))
	b.close(fd)
}
