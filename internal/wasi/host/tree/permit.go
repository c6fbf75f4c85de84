//go:build linux

package tree

import (
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// What the image's permission bits say to a guest.
//
// Whatever a guest changes of the image is a copy in the upper level, which is
// the guest's own user's, so the kernel would allow everything. A guest that
// runs as an ordinary user shall change of the image only what that user may:
// before something is copied, made or removed, the bits of the image are
// consulted. They are computed here, since access(2) answers EROFS for an image
// that is mounted read-only. Mounts, what only the upper level has, and all
// reading are the kernel's to decide.
//
// Who owns a file may change it whatever its bits say: an ordinary user's
// engine owns all files of its images, and its guests are their root. Nothing
// is granted so that chmod(2) would not give to an owner.

// user is as whom the process works.
type user struct {
	uid    uint32
	groups []int
	// override is CAP_DAC_OVERRIDE.
	override bool
}

// thisUser asks the kernel. A process changes neither user nor capabilities
// once its tree is open.
func thisUser() (u user, err error) {
	u.uid = uint32(os.Geteuid())
	if u.groups, err = os.Getgroups(); err != nil {
		return u, err
	}
	u.groups = append(u.groups, os.Getegid())
	var data [2]unix.CapUserData
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	if err = unix.Capget(&head, &data[0]); err != nil {
		return u, err
	}
	u.override = data[0].Effective&(1<<unix.CAP_DAC_OVERRIDE) != 0
	return u, nil
}

// may says whether st's bits grant what is wanted, of the bits 4, 2 and 1.
func (u *user) may(st *unix.Stat_t, want uint32) bool {
	mode := st.Mode
	switch {
	case u.override || st.Uid == u.uid || mode&unix.S_IFMT == unix.S_IFLNK:
		return true
	case slices.Contains(u.groups, int(st.Gid)):
		mode >>= 3
	}
	return mode&want == want
}

// mayChange is EACCES where the user may not make or remove names in a folder.
func (f *folder) mayChange() error {
	switch {
	case !f.mnt.overlay || f.gone || f.t.user.override:
		return nil
	case f.lower >= 0:
		st, err := fstat(f.lower)
		if err == nil && !f.t.user.may(&st, 3) {
			err = unix.EACCES
		}
		return err
	case f.upper < 0 && f.t.foreign:
		return unix.EACCES // a folder on the way to a mount is root's
	}
	return nil
}

// changeable brings a folder to where names can be made and removed in it.
func (f *folder) changeable() error {
	if f.mnt.ro {
		return unix.EROFS
	}
	if err := f.mayChange(); err != nil {
		return err
	}
	return f.writable()
}

// mayRemove is EPERM where a sticky folder keeps a name for its owner.
func (f *folder) mayRemove(name string, e *entry) error {
	if !f.mnt.overlay || f.lower < 0 || f.t.user.uid == 0 {
		return nil
	}
	dir, err := fstat(f.lower)
	if err != nil || dir.Mode&unix.S_ISVTX == 0 || dir.Uid == f.t.user.uid {
		return err
	}
	owner := e.st.Uid
	if e.merged {
		owner = e.lower.Uid
	} else if e.at == inUpper && !f.masked(name) {
		if st, err := fstatat(f.lower, name); err == nil {
			owner = st.Uid // a copy is not more the user's than the original
		}
	}
	if owner != f.t.user.uid {
		return unix.EPERM
	}
	return nil
}

// mayOpen is EACCES where the user may not use a file of the image or a default
// file so, of the bits 4 and 2.
func (f *folder) mayOpen(e *entry, want uint32) error {
	if e.at == inLower && !f.t.user.may(&e.st, want) || e.at == inDefault && f.t.foreign && want&2 != 0 {
		return unix.EACCES
	}
	return nil
}

// mayTouch says whether the user may set the times of what the image has: an
// owner may, and who may write can set them to the present (utimensat(2)).
func (f *folder) mayTouch(e *entry, t Times) error {
	st := &e.st
	switch {
	case f.t.user.uid == 0:
		return nil
	case e.at == inLower:
	case e.merged:
		st = &e.lower
	case (e.at == inDefault || e.at == inNothing) && f.t.foreign:
		return unix.EPERM
	default:
		return nil
	}
	switch {
	case st.Uid == f.t.user.uid:
		return nil
	case !t.NowAtim || !t.NowMtim:
		return unix.EPERM
	case !f.t.user.may(st, 2):
		return unix.EACCES
	}
	return nil
}
