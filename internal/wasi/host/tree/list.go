//go:build linux

package tree

import (
	"bytes"
	"encoding/binary"
	"sort"
	"unsafe"

	"golang.org/x/sys/unix"
)

// dirent is one name that a host folder has.
type dirent struct {
	name string
	ino  uint64
	kind uint32 // S_IFMT bits, 0 where the file system does not say
}

// readDir lists a host folder without "." and "..".
func readDir(dir int) ([]dirent, error) {
	fd, err := openat(dir, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	var list []dirent
	buf := make([]byte, 32<<10)
	for {
		n, err := unix.Getdents(fd, buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return list, err
		}
		for b := buf[:n]; len(b) > 0; {
			// struct linux_dirent64: ino 8, off 8, reclen 2, type 1, name
			const head = int(unsafe.Offsetof(unix.Dirent{}.Name))
			size := int(binary.NativeEndian.Uint16(b[16:]))
			name := b[head:size]
			if i := bytes.IndexByte(name, 0); i >= 0 {
				name = name[:i]
			}
			if s := string(name); s != "." && s != ".." {
				list = append(list, dirent{s, binary.NativeEndian.Uint64(b), uint32(b[18]) << 12})
			}
			b = b[size:]
		}
	}
}

// view is the joined content of a folder.
func (f *folder) view() (map[string]Entry, error) {
	if f.gone {
		return nil, unix.ENOENT // as getdents(2) of a removed folder
	}
	f.refresh()
	all := map[string]Entry{}
	under := map[string]dirent{} // the image's folders that may be merged
	if f.lower >= 0 {
		list, err := readDir(f.lower)
		if err != nil {
			return nil, err
		}
		for _, d := range list {
			if err := d.complete(f.lower); err != nil {
				continue // gone meanwhile
			}
			all[d.name] = Entry{d.name, d.ino, typeOfMode(d.kind)}
			if d.kind == unix.S_IFDIR {
				under[d.name] = d
			}
		}
	}
	if f.g != nil && !f.hidden {
		for name, g := range f.g.kids {
			if _, ok := all[name]; ok {
				continue
			}
			if g.def != nil {
				st, err := g.def.stat(g.ino, f.t.born)
				if err != nil {
					return nil, err
				}
				all[name] = Entry{name, st.Ino, typeOfMode(st.Mode)}
			} else {
				all[name] = Entry{name, g.ino, TypeDirectory}
			}
		}
	}
	if f.white >= 0 {
		masks, err := readDir(f.white)
		if err != nil {
			return nil, err
		}
		for _, m := range masks {
			if err := m.complete(f.white); err == nil && m.kind == unix.S_IFREG {
				delete(all, m.name)
				delete(under, m.name)
			}
		}
	}
	if f.upper >= 0 {
		if err := f.viewUpper(all, under); err != nil {
			return nil, err
		}
	}
	return all, f.viewMounts(all)
}

func (f *folder) viewUpper(all map[string]Entry, under map[string]dirent) error {
	list, err := readDir(f.upper)
	if err != nil {
		return err
	}
	for _, d := range list {
		if err := d.complete(f.upper); err != nil {
			continue // gone meanwhile
		}
		e := Entry{d.name, d.ino, typeOfMode(d.kind)}
		if o, ok := f.t.origin[key{f.upperDev, d.ino}]; ok && f.mnt.overlay {
			e.Ino = o.ino
		}
		if d.kind == unix.S_IFDIR {
			if l, ok := under[d.name]; ok {
				e.Ino = l.ino
			} else if g := f.g.child(d.name); g != nil && !f.masked(d.name) {
				e.Ino = g.ino
			}
		}
		all[d.name] = e
	}
	return nil
}

// viewMounts adds what is mounted here, and the ways to what is mounted below.
func (f *folder) viewMounts(all map[string]Entry) error {
	if f.g == nil {
		return nil
	}
	for name, g := range f.g.kids {
		if !g.mounts {
			continue
		}
		if g.mnt == nil {
			if _, ok := all[name]; !ok {
				all[name] = Entry{name, g.ino, TypeDirectory}
			}
			continue
		}
		e, err := f.lookup(name)
		if err == unix.ENOENT { // the mounted file is gone from the host
			delete(all, name)
			continue
		}
		if err != nil {
			return err
		}
		all[name] = Entry{name, e.st.Ino, typeOfMode(e.st.Mode)}
	}
	return nil
}

// complete asks for the kind where the file system left it out.
func (d *dirent) complete(dir int) error {
	if d.kind != 0 {
		return nil
	}
	st, err := fstatat(dir, d.name)
	d.kind = st.Mode & unix.S_IFMT
	return err
}

// names lists the folder's names in order.
func (f *folder) names() ([]string, error) {
	all, err := f.view()
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	sort.Strings(names)
	return names, nil
}

// Entries lists the directory: "." and "..", then everything else by name. A
// name of the host that is not UTF-8 is listed as it is, though no path can
// reach it.
func (d *Dir) Entries() ([]Entry, error) {
	f, err := d.begin()
	if err != nil {
		return nil, err
	}
	defer d.t.mu.Unlock()
	all, err := f.view()
	if err != nil {
		return nil, err
	}
	list := make([]Entry, 2, len(all)+2)
	list[0] = Entry{".", f.id.ino, TypeDirectory}
	list[1] = Entry{"..", f.id.ino, TypeDirectory}
	if f.parent != nil {
		list[1].Ino = f.parent.id.ino
	}
	for _, e := range all {
		list = append(list, e)
	}
	sort.Slice(list[2:], func(i, j int) bool { return list[2+i].Name < list[2+j].Name })
	return list, nil
}
