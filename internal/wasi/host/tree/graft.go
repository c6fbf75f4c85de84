//go:build linux

package tree

import "golang.org/x/sys/unix"

// graft is a place of the tree at or above something that the Config puts
// there: the table of mount points and default files, consulted at each step
// of a walk. It is built by New and constant afterwards.
type graft struct {
	kids map[string]*graft
	mnt  *mounted // what is mounted here, or nil
	def  *defFile // the default file here, or nil
	// mounts says that a mount is here or below, which keeps the place from
	// being renamed or removed, and lets it exist where no layer has it.
	mounts bool
	ino    uint64 // number of the folder or file where no layer has it
}

// child is nil-safe, so that places without grafts cost a nil check.
func (g *graft) child(name string) *graft {
	if g == nil {
		return nil
	}
	return g.kids[name]
}

// place returns the graft at a canonical path, made where it does not exist.
func (t *Tree) place(path []string) *graft {
	g := t.grafts
	for _, name := range path {
		k := g.kids[name]
		if k == nil {
			if g.kids == nil {
				g.kids = map[string]*graft{}
			}
			t.virtualIno++
			k = &graft{ino: t.virtualIno}
			g.kids[name] = k
		}
		g = k
	}
	return g
}

// mounted is what a folder belongs to: the joined root, or one mount.
type mounted struct {
	overlay bool // the image's tree under the upper level
	ro      bool
	dir     int    // O_PATH; the mounted folder, or the folder of the mounted file
	file    string // the name in dir of a mounted file, "" for a folder
	dev     uint64 // device of dir
	space   *space // bound of a scratch folder, or nil
}

// defFile is a default file: bytes, or a file of the host opened by its folder
// and name, since a descriptor cannot be opened again without procfs.
type defFile struct {
	data []byte
	mode uint32
	dir  int // O_PATH, -1 for data
	file string
}

// virtualDev is the device number of what no layer has: "whry", which no block
// device has as a number.
const virtualDev = 0x77687279

func (d *defFile) stat(ino uint64, born unix.Timespec) (unix.Stat_t, error) {
	if d.dir >= 0 {
		return fstatat(d.dir, d.file)
	}
	st := unix.Stat_t{Mode: unix.S_IFREG | d.mode, Size: int64(len(d.data)), Ino: ino, Nlink: 1,
		Atim: born, Mtim: born, Ctim: born}
	st.Dev = virtualDev
	return st, nil
}

// open gives a descriptor of its own with the file's content. Bytes go to a
// sealed memory file, since a guest expects to seek in it.
func (d *defFile) open() (int, error) {
	if d.dir >= 0 {
		return openat(d.dir, d.file, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	}
	fd, err := unix.MemfdCreate("default", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return -1, err
	}
	for off := 0; off < len(d.data); {
		n, err := unix.Pwrite(fd, d.data[off:], int64(off))
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			unix.Close(fd)
			return -1, err
		}
		off += n
	}
	const seals = unix.F_SEAL_WRITE | unix.F_SEAL_GROW | unix.F_SEAL_SHRINK | unix.F_SEAL_SEAL
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}
