//go:build linux

package wall

import (
	"encoding/binary"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// user is the user that the specification names.
func (b *builder) user() specs.User {
	if b.spec.Process == nil {
		return specs.User{}
	}
	return b.spec.Process.User
}

// allowed are the capabilities that a container process may have at all: those
// for files, without which root could not write a user's folder, and the one
// for low ports.
var allowed = map[string]int{
	"CAP_CHOWN": unix.CAP_CHOWN, "CAP_DAC_OVERRIDE": unix.CAP_DAC_OVERRIDE,
	"CAP_FOWNER": unix.CAP_FOWNER, "CAP_FSETID": unix.CAP_FSETID,
	"CAP_NET_BIND_SERVICE": unix.CAP_NET_BIND_SERVICE,
}

// Allowed lists the names of the capabilities that a container process may
// have.
func Allowed() []string {
	return []string{"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_NET_BIND_SERVICE"}
}

// capabilities are those that the process keeps, as a set of bits: of what the
// specification grants, what an exec would leave its user (capabilities(7)).
func (b *builder) capabilities() (set uint64) {
	if b.spec.Process == nil || b.spec.Process.Capabilities == nil {
		return 0
	}
	c := b.spec.Process.Capabilities
	granted := c.Effective
	if b.user().UID != 0 {
		granted = c.Ambient
	}
	for _, name := range granted {
		if n, ok := allowed[name]; ok {
			set |= 1 << n
		}
	}
	return set
}

// identity makes the process the specification's user, with the capabilities
// that it keeps.
func (b *builder) identity() {
	u, keep := b.user(), b.capabilities()
	mask := uint32(0o022)
	if u.Umask != nil {
		mask = *u.Umask
	}
	b.call("umask", unix.SYS_UMASK, "set the umask", num(mask))
	if b.opts.Lesser && b.host.UID != 0 {
		// The user stays who it is, and has nothing to give up.
		b.capset(0)
		return
	}
	first := len(b.plan.Steps)
	for c := 0; c <= b.host.LastCap; c++ {
		if keep&(1<<c) == 0 {
			b.call("prctl", unix.SYS_PRCTL, "give up capability "+strconv.Itoa(c), num(unix.PR_CAPBSET_DROP), num(c)).Thread = true
		}
	}
	if b.opts.Lesser {
		b.optional(first)
	}
	if b.host.Setgroups && !b.userns {
		list := make([]byte, 0, 4*len(u.AdditionalGids))
		for _, g := range u.AdditionalGids {
			list = binary.NativeEndian.AppendUint32(list, g)
		}
		b.call("setgroups", unix.SYS_SETGROUPS, "set the groups", num(len(u.AdditionalGids)), blob(list)).Thread = true
	}
	gid, uid := num(u.GID), num(u.UID)
	b.call("prctl", unix.SYS_PRCTL, "keep capabilities", num(unix.PR_SET_KEEPCAPS), num(1)).Thread = true
	b.call("setresgid", unix.SYS_SETRESGID, "become group "+strconv.FormatUint(uint64(u.GID), 10), gid, gid, gid).Thread = true
	b.call("setresuid", unix.SYS_SETRESUID, "become user "+strconv.FormatUint(uint64(u.UID), 10), uid, uid, uid).Thread = true
	b.call("prctl", unix.SYS_PRCTL, "keep capabilities", num(unix.PR_SET_KEEPCAPS), num(0)).Thread = true
	b.capset(keep)
}

// capset sets the effective and permitted capabilities; none are inheritable.
func (b *builder) capset(set uint64) {
	order := binary.NativeEndian
	head := order.AppendUint32(nil, unix.LINUX_CAPABILITY_VERSION_3)
	head = order.AppendUint32(head, 0)
	var data []byte
	for _, half := range []uint32{uint32(set), uint32(set >> 32)} {
		data = order.AppendUint32(data, half) // effective
		data = order.AppendUint32(data, half) // permitted
		data = order.AppendUint32(data, 0)    // inheritable
	}
	b.call("prctl", unix.SYS_PRCTL, "give up ambient capabilities", num(unix.PR_CAP_AMBIENT), num(unix.PR_CAP_AMBIENT_CLEAR_ALL)).Thread = true
	b.call("capset", unix.SYS_CAPSET, "give up capabilities", blob(head), blob(data)).Thread = true
}

func (b *builder) noNewPrivileges() {
	b.call("prctl", unix.SYS_PRCTL, "give up new privileges", num(unix.PR_SET_NO_NEW_PRIVS), num(1)).Thread = true
}
