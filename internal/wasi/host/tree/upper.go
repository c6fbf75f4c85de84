//go:build linux

package tree

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// The upper level is a host folder with these parts:
//
//	data   the files and folders that the container made or changed
//	white  masks: an empty file white/P says that the image's P is hidden, with
//	       all below it; a folder white/P holds the masks of what is in P
//	work   copies that are not finished; they enter data by rename
//	tmp    scratch folders of tmpfs mounts
//
// Masks have a tree of their own because an ordinary user cannot make the
// 0:0 devices of kernel overlays, not every file system has user attributes
// (and links have them nowhere), and names such as AUFS's ".wh.x" are names
// that a guest may use itself. A mask concerns only the image's side, so it
// needs no companion for opaque folders: data/P with the mask white/P is a
// folder that hides the image's.
//
// A name that goes away is masked before it is removed from data, so that a
// crash between the two leaves it, and never uncovers the image's.
type upper struct {
	lock, data, white, work, tmp int
	seq                          uint64
	// own says that data is a folder elsewhere (Config.Own), perhaps on another
	// file system than the rest.
	own bool
}

// workFor is the folder in which a copy that will be an entry of f is made: one
// from which it can be renamed.
func (u *upper) workFor(f *folder) int {
	if u.own {
		return f.upper
	}
	return u.work
}

// openUpper opens the upper level at path, made where it does not exist. With
// ro nothing is made, and a level that is not there is nil.
func openUpper(path string, ro bool) (_ *upper, err error) {
	u := &upper{lock: -1, data: -1, white: -1, work: -1, tmp: -1}
	defer func() {
		if err != nil {
			u.close()
		}
	}()
	if !ro {
		if err := os.MkdirAll(path, 0o700); err != nil {
			return nil, err
		}
	}
	u.lock, err = unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if ro && err == unix.ENOENT {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	// Whoever is alone clears what a killed predecessor left; the lock is then
	// shared with others who join, such as a copy into a running container.
	if unix.Flock(u.lock, unix.LOCK_EX|unix.LOCK_NB) == nil {
		err := clearFolder(u.lock, func(name string) bool { return name != "data" && name != "white" })
		if err != nil && !(ro && err == unix.EROFS) {
			return nil, err
		}
	}
	if err := retry(func() error { return unix.Flock(u.lock, unix.LOCK_SH) }); err != nil {
		return nil, err
	}
	for _, part := range []struct {
		name string
		mode uint32
		fd   *int
	}{{"data", 0o755, &u.data}, {"white", 0o700, &u.white}, {"work", 0o700, &u.work}, {"tmp", 0o700, &u.tmp}} {
		if !ro {
			err := unix.Mkdirat(u.lock, part.name, part.mode)
			if err != nil && err != unix.EEXIST {
				return nil, err
			}
		}
		*part.fd, err = openPath(u.lock, part.name, unix.O_DIRECTORY)
		if err != nil && (!ro || err != unix.ENOENT) {
			return nil, err
		}
	}
	if u.data < 0 {
		u.close()
		return nil, nil
	}
	return u, nil
}

func (u *upper) close() {
	if u != nil {
		closeFD(u.lock, u.data, u.white, u.work, u.tmp)
	}
}

// temp names an unfinished thing in work.
func (u *upper) temp() string {
	u.seq++
	return ".wherry-" + strconv.Itoa(os.Getpid()) + "-" + strconv.FormatUint(u.seq, 10)
}

// writable brings the folder itself to the upper level, and is EROFS where
// that must not be.
func (f *folder) writable() error {
	if f.mnt.ro {
		return unix.EROFS
	}
	if f.gone {
		return unix.ENOENT
	}
	f.refresh()
	if f.upper >= 0 {
		return nil
	}
	if err := f.parent.writableFor(f); err != nil {
		return err
	}
	// Folders that only a graft shows have no layer to take after.
	mode, st := uint32(0o755), unix.Stat_t{}
	if f.lower >= 0 {
		var err error
		if st, err = fstat(f.lower); err != nil {
			return err
		}
		mode = userMode(&st)
	}
	err := unix.Mkdirat(f.parent.upper, f.name, 0o700)
	if err != nil && err != unix.EEXIST {
		return err
	}
	fd, err := openPath(f.parent.upper, f.name, unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	if f.lower >= 0 {
		err = likeOriginal(f.parent.upper, f.name, &st, mode)
	} else {
		err = chmod(f.parent.upper, f.name, mode)
	}
	if err != nil {
		unix.Close(fd)
		return err
	}
	if err := f.setUpper(fd); err != nil {
		return err
	}
	now, err := fstat(f.upper)
	if err == nil && f.mnt.overlay {
		f.t.origin[keyOf(&now)] = f.id
	}
	return err
}

// writableFor prepares the folder for its child c. The way to a mount that no
// layer has may lie in another mount than c's.
func (f *folder) writableFor(c *folder) error {
	if f.mnt != c.mnt {
		return unix.EROFS
	}
	return f.writable()
}

// userMode is the mode that a copy gets. Without root's rights the owner's own
// bits would keep the guest out of folders and files that are its own.
func userMode(st *unix.Stat_t) uint32 {
	if os.Geteuid() == 0 {
		return st.Mode & 0o7777
	}
	return ownMode(st)
}

// ownMode is the mode of a copy that belongs to the guest's user, whoever owns
// the original: no rights of another are handed on with it.
func ownMode(st *unix.Stat_t) uint32 {
	mode := st.Mode&0o7777 | 0o600
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		mode |= 0o700
	}
	if st.Uid != uint32(os.Geteuid()) {
		mode &^= unix.S_ISUID | unix.S_ISGID
	}
	return mode
}

// likeOriginal gives a copy the owner, mode and times of its original. Only
// root can give files away; everyone else owns the copy, and so does a root
// that may not, because it lacks CAP_CHOWN (EPERM), its user namespace has no
// such user (EINVAL) or it is sealed without a jail (ENOSYS).
func likeOriginal(dir int, name string, st *unix.Stat_t, mode uint32) error {
	if os.Geteuid() == 0 {
		err := unix.Fchownat(dir, name, int(st.Uid), int(st.Gid), unix.AT_SYMLINK_NOFOLLOW)
		if err == unix.EPERM || err == unix.EINVAL || err == unix.ENOSYS {
			mode, err = ownMode(st), nil
		}
		if err != nil {
			return err
		}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFLNK {
		if err := chmod(dir, name, mode); err != nil {
			return err
		}
	}
	err := chtimes(dir, name, []unix.Timespec{st.Atim, st.Mtim})
	if err == unix.EPERM && st.Mode&unix.S_IFMT == unix.S_IFLNK {
		err = nil // a link's times are lost where no path can be named
	}
	return err
}

// ensureWhite makes the folder for the folder's masks.
func (f *folder) ensureWhite() error {
	if f.white >= 0 {
		return nil
	}
	if err := f.parent.ensureWhite(); err != nil {
		return err
	}
	if err := unix.Mkdirat(f.parent.white, f.name, 0o700); err != nil && err != unix.EEXIST {
		return err
	}
	fd, err := openPath(f.parent.white, f.name, unix.O_DIRECTORY)
	if err == nil {
		f.white = fd
	}
	return err
}

// mask hides the image's entry name. A folder of masks at its place is of no
// more use and is exchanged for the mask in one step.
func (f *folder) mask(name string) error {
	if err := f.ensureWhite(); err != nil {
		return err
	}
	fd, err := openat(f.white, name, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_NOFOLLOW, 0o600)
	if err == nil {
		unix.Close(fd)
		return nil
	}
	if err != unix.EEXIST {
		return err
	}
	if f.masked(name) {
		return nil
	}
	u := f.t.upper
	temp := u.temp()
	if fd, err = openat(u.work, temp, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY, 0o600); err != nil {
		return err
	}
	unix.Close(fd)
	if err := unix.Renameat2(u.work, temp, f.white, name, unix.RENAME_EXCHANGE); err != nil {
		return err
	}
	return removeAll(u.work, temp)
}

// maskBeneath does what must precede the removal of a name: the image's side of
// it is masked.
func (f *folder) maskBeneath(name string) error {
	has, err := f.beneathHidden(name)
	if err != nil || !has {
		return err
	}
	return f.mask(name)
}
