//go:build linux

package tree

import "golang.org/x/sys/unix"

func makeStat(st *unix.Stat_t, id key) Stat {
	return Stat{
		Dev: id.dev, Ino: id.ino, Type: typeOfMode(st.Mode),
		Nlink: uint64(st.Nlink), Size: uint64(max(st.Size, 0)),
		Atim: st.Atim.Nano(), Mtim: st.Mtim.Nano(), Ctim: st.Ctim.Nano(),
		Mode: st.Mode & 0o7777, UID: st.Uid, GID: st.Gid,
		DevMajor: unix.Major(uint64(st.Rdev)), DevMinor: unix.Minor(uint64(st.Rdev)),
	}
}

// Stat describes the directory itself.
func (d *Dir) Stat() (Stat, error) {
	f, err := d.begin()
	if err != nil {
		return Stat{}, err
	}
	defer d.t.mu.Unlock()
	return f.stat()
}

func (f *folder) stat() (Stat, error) {
	f.refresh()
	if f.top() < 0 {
		st := f.t.virtualDir(f.id.ino)
		return makeStat(&st, f.id), nil
	}
	st, err := fstat(f.top())
	return makeStat(&st, f.id), err
}

// StatAt describes path; with follow, what a link there points to.
func (d *Dir) StatAt(path string, follow bool) (s Stat, err error) {
	f, err := d.begin()
	if err != nil {
		return Stat{}, err
	}
	defer d.t.mu.Unlock()
	r, done, err := d.t.walk(f, path, followIf(follow), &shortcut{do: func(f *folder, fd int, rel string, resolve uint64) error {
		flags := uint64(unix.O_PATH)
		if !follow {
			flags |= unix.O_NOFOLLOW
		}
		fd, err := openat2(fd, rel, flags, resolve)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		st, err := fstat(fd)
		if err != nil {
			return err
		}
		id := keyOf(&st)
		if f.mnt.overlay {
			id = f.t.identify(&st)
		}
		s = makeStat(&st, id)
		return checkFS(fd, uint64(st.Dev), f.topDev())
	}})
	if err != nil {
		return Stat{}, err
	}
	if done {
		return s, nil
	}
	defer r.f.release()
	if r.name == "" {
		return r.f.stat()
	}
	if err := r.exists(); err != nil {
		return Stat{}, err
	}
	return makeStat(&r.e.st, r.f.identity(&r.e)), nil
}

// topDev is the device of the layer that a shortcut from f works in.
func (f *folder) topDev() uint64 {
	if f.upper >= 0 && f.lower < 0 {
		return f.upperDev
	}
	return f.lowerDev
}

// exists says whether the found entry is there, is a folder where it was
// written with a trailing slash, and is not on a kernel file system.
func (r *found) exists() error {
	if r.e.at == absent {
		return unix.ENOENT
	}
	if r.slash && !r.e.isDir() {
		return unix.ENOTDIR
	}
	if r.e.at != inUpper && r.e.at != inLower {
		return nil // New has checked the sources of mounts
	}
	dir, dev := r.f.side(&r.e)
	if uint64(r.e.st.Dev) == dev {
		return nil
	}
	fd, err := openPath(dir, r.name, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return checkFS(fd, uint64(r.e.st.Dev), dev)
}

// timespecs turns Times into what utimensat(2) takes.
func (t Times) timespecs() []unix.Timespec {
	one := func(ns int64, set, now bool) unix.Timespec {
		switch {
		case now:
			return unix.Timespec{Nsec: unix.UTIME_NOW}
		case set:
			return unix.NsecToTimespec(ns)
		}
		return unix.Timespec{Nsec: unix.UTIME_OMIT}
	}
	return []unix.Timespec{one(t.Atim, t.SetAtim, t.NowAtim), one(t.Mtim, t.SetMtim, t.NowMtim)}
}

// SetTimes sets the directory's own times.
func (d *Dir) SetTimes(t Times) error {
	f, err := d.begin()
	if err != nil {
		return err
	}
	defer d.t.mu.Unlock()
	if err := f.ownable(t); err != nil {
		return err
	}
	return chtimes(f.upper, ".", t.timespecs())
}

// ownable brings a folder to where its times, or what else is its owner's
// alone, can be set.
func (f *folder) ownable(t Times) error {
	if f.mnt.overlay && !f.mnt.ro && !f.gone {
		e := entry{at: inUpper}
		switch {
		case f.lower >= 0:
			st, err := fstat(f.lower)
			if err != nil {
				return err
			}
			e.at, e.st = inLower, st
		case f.upper < 0:
			e.at = inNothing
		}
		if err := f.mayTouch(&e, t); err != nil {
			return err
		}
	}
	return f.writable()
}

// SetTimesAt sets the times of path.
func (d *Dir) SetTimesAt(path string, follow bool, t Times) error {
	return d.change(path, follow, t, func(dir int, name string, link bool) error {
		return chtimes(dir, name, t.timespecs())
	})
}

// SetMode sets the permission bits of path, setuid, setgid and sticky
// included. It is ENOTSUP for a link. Guests have no call for it; unpacking
// an archive into a tree does.
func (d *Dir) SetMode(path string, follow bool, mode uint32) error {
	return d.change(path, follow, Times{}, func(dir int, name string, link bool) error {
		if link {
			return unix.ENOTSUP
		}
		return chmod(dir, name, mode&0o7777)
	})
}

// SetOwner sets the owner of path, as SetMode for unpacking archives.
func (d *Dir) SetOwner(path string, follow bool, uid, gid uint32) error {
	return d.change(path, follow, Times{}, func(dir int, name string, link bool) error {
		return unix.Fchownat(dir, name, int(uid), int(gid), unix.AT_SYMLINK_NOFOLLOW)
	})
}

// change brings path to where it can be written and does something to it there
// that takes the right to set its times so.
func (d *Dir) change(path string, follow bool, t Times, do func(dir int, name string, link bool) error) error {
	f, err := d.begin()
	if err != nil {
		return err
	}
	defer d.t.mu.Unlock()
	r, _, err := d.t.walk(f, path, followIf(follow), nil)
	if err != nil {
		return err
	}
	defer r.f.release()
	if r.name == "" {
		if err := r.f.ownable(t); err != nil {
			return err
		}
		return do(r.f.upper, ".", false)
	}
	if err := r.exists(); err != nil {
		return err
	}
	link := r.e.kind() == unix.S_IFLNK
	switch {
	case r.e.at == inMount && r.e.g.mnt.ro:
		return unix.EROFS
	case r.e.at == inMount && r.e.g.mnt.file != "":
		return do(r.e.g.mnt.dir, r.e.g.mnt.file, link)
	case r.e.isDir():
		c, err := r.f.child(r.name, &r.e)
		if err != nil {
			return err
		}
		defer c.release()
		if err := c.ownable(t); err != nil {
			return err
		}
		return do(c.upper, ".", false)
	case r.e.at == inDefault && r.e.kind() == unix.S_IFCHR:
		return unix.EPERM // a device of the host
	case r.e.at != inUpper:
		if err := r.f.mayTouch(&r.e, t); err != nil {
			return err
		}
		if err := r.f.copyUp(r.name, &r.e, false); err != nil {
			return err
		}
	}
	if r.f.mnt.ro {
		return unix.EROFS
	}
	return do(r.f.upper, r.name, link)
}
