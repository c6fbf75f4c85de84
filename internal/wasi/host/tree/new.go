//go:build linux

package tree

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"
)

// New opens the tree that c describes. Its errors are for people: they name
// the field, what was wanted and what was found. They wrap
// errdefs.ErrInvalidArgument or ErrNotFound where the Config is at fault.
func New(c Config) (_ *Tree, err error) {
	t := &Tree{grafts: &graft{}, origin: map[key]key{}, born: now(), devDir: -1}
	t.root = &folder{t: t, refs: 1, upper: -1, lower: -1, white: -1, g: t.grafts,
		mnt: &mounted{overlay: true, dir: -1, ro: c.ReadOnly || c.Upper == ""}, id: key{virtualDev, 0}}
	defer func() {
		if err != nil {
			t.root.release()
		}
	}()
	if t.user, err = thisUser(); err != nil {
		return nil, fmt.Errorf("asking for the own user: %w", err)
	}
	if err := t.openRoot(&c); err != nil {
		return nil, err
	}
	// Outer mounts first, so that an inner target's links are followed in them.
	mounts := append([]Mount(nil), c.Mounts...)
	depth := func(m Mount) int { return strings.Count(path.Clean(m.Target), "/") }
	sort.SliceStable(mounts, func(i, j int) bool { return depth(mounts[i]) < depth(mounts[j]) })
	for _, m := range mounts {
		if err := t.mount(m); err != nil {
			return nil, fmt.Errorf("mount %q: %w", m.Target, err)
		}
	}
	for _, d := range c.Defaults {
		if err := t.addDefault(d); err != nil {
			return nil, fmt.Errorf("default file %q: %w", d.Path, err)
		}
	}
	if !c.NoDevices {
		if err := t.addDevices(); err != nil {
			return nil, err
		}
	}
	if len(t.grafts.kids) == 0 {
		t.root.g = nil
	}
	return t, nil
}

func invalid(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, errdefs.ErrInvalidArgument)...)
}

// openRoot opens the image's tree and the upper level.
func (t *Tree) openRoot(c *Config) error {
	r := t.root
	if c.Root != "" {
		if !filepath.IsAbs(c.Root) {
			return invalid("the root %q must be an absolute host path", c.Root)
		}
		fd, err := unix.Open(c.Root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("opening the root %s: %w", c.Root, err)
		}
		r.lower = fd
		st, err := fstat(fd)
		if err != nil {
			return fmt.Errorf("opening the root %s: %w", c.Root, err)
		}
		if err := checkOrdinary(fd, c.Root); err != nil {
			return err
		}
		r.lowerDev, r.id = uint64(st.Dev), keyOf(&st)
		var fs unix.Statfs_t
		if err := unix.Fstatfs(fd, &fs); err != nil {
			return fmt.Errorf("opening the root %s: %w", c.Root, err)
		}
		// Only root can have made devices; on the mount's own file system, that
		// is (see openFast).
		t.plain = fs.Flags&unix.ST_NODEV != 0 || t.user.uid != 0 && st.Uid == t.user.uid
		t.foreign = !t.user.override && st.Uid != t.user.uid
	}
	if c.Upper == "" {
		return nil
	}
	if !filepath.IsAbs(c.Upper) {
		return invalid("the upper level %q must be an absolute host path", c.Upper)
	}
	t.upperPath = c.Upper
	u, err := openUpper(c.Upper, c.ReadOnly)
	if err != nil {
		return fmt.Errorf("opening the upper level %s: %w", c.Upper, err)
	}
	if t.upper = u; u == nil {
		return nil
	}
	if c.Own && r.lower >= 0 {
		unix.Close(u.data)
		u.data, u.own, r.lower = r.lower, true, -1
	}
	fd, err := dup(u.data)
	if err == nil {
		err = r.setUpper(fd)
	}
	if err == nil {
		r.white, err = dup(u.white)
	}
	if err == nil && r.lower < 0 {
		var st unix.Stat_t
		st, err = fstat(r.upper)
		r.id = keyOf(&st)
	}
	if err != nil {
		return fmt.Errorf("opening the upper level %s: %w", c.Upper, err)
	}
	return nil
}

// checkOrdinary refuses sources on kernel file systems.
func checkOrdinary(fd int, path string) error {
	name, err := kernelFSOf(fd)
	if err == nil && name != "" {
		err = invalid("%s is on a kernel file system (%s), which guests are not given: name another folder", path, name)
	}
	return err
}

// target checks a path of the Config and cleans it.
func target(p string) (string, error) {
	switch clean := path.Clean(p); {
	case !strings.HasPrefix(p, "/"):
		return "", invalid("the path must be absolute")
	case clean == "/":
		return "", invalid("the path must lie below /")
	case checkText(p) != nil:
		return "", invalid("the path is too long or not text")
	default:
		return clean, nil
	}
}

// mount places one mount.
func (t *Tree) mount(m Mount) error {
	p, err := target(m.Target)
	if err != nil {
		return err
	}
	at, err := t.canonical(p)
	if err != nil {
		return err
	}
	if len(at.path) == 0 {
		return invalid("it is a link to /")
	}
	mnt, err := t.openSource(&m)
	if err != nil {
		return err
	}
	if isFile := mnt.file != ""; at.e.at != absent && at.e.isDir() == isFile {
		kinds := map[bool]string{true: "a file", false: "a folder"}
		return invalid("the source %s is %s, but the image has %s there", m.Source, kinds[isFile], kinds[!isFile])
	}
	g := t.place(at.path)
	g.mnt = mnt // a later mount at the same place covers an earlier one
	g = t.grafts
	for _, name := range at.path {
		g = g.kids[name]
		g.mounts = true
	}
	return nil
}

// openSource opens what is to be mounted. Its descriptors belong to the tree.
func (t *Tree) openSource(m *Mount) (*mounted, error) {
	mnt := &mounted{ro: m.ReadOnly, dir: -1}
	t.mounts = append(t.mounts, mnt)
	if m.Tmpfs {
		return mnt, t.tmpfs(mnt, m)
	}
	if !filepath.IsAbs(m.Source) {
		return nil, invalid("the source %q must be an absolute host path", m.Source)
	}
	dir, file, err := resolveSource(m.Source)
	if err != nil {
		return nil, err
	}
	if m.File && file == "" {
		return nil, invalid("the source %s is a folder, wanted a file", m.Source)
	}
	if mnt.dir, err = unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err != nil {
		return nil, fmt.Errorf("opening the source %s: %w", m.Source, err)
	}
	if err := checkOrdinary(mnt.dir, m.Source); err != nil {
		return nil, err
	}
	st, err := fstat(mnt.dir)
	if err != nil {
		return nil, fmt.Errorf("opening the source %s: %w", m.Source, err)
	}
	mnt.dev, mnt.file = uint64(st.Dev), file
	if file == "" {
		return mnt, nil
	}
	return mnt, checkSourceFile(mnt.dir, file, m.Source)
}

// resolveSource follows the links of a host path and splits a file from its
// folder. The file is kept by name, since a descriptor that was only looked
// through cannot be opened without procfs; a program that replaces the file by
// rename, as editors do, is then followed too.
func resolveSource(source string) (dir, file string, err error) {
	real, err := filepath.EvalSymlinks(source)
	if os.IsNotExist(err) {
		return "", "", fmt.Errorf("the source %s does not exist: create it or name another: %w", source, errdefs.ErrNotFound)
	}
	if err != nil {
		return "", "", fmt.Errorf("the source %s: %w", source, err)
	}
	info, err := os.Lstat(real)
	if err != nil {
		return "", "", fmt.Errorf("the source %s: %w", source, err)
	}
	if info.IsDir() {
		return real, "", nil
	}
	return filepath.Dir(real), filepath.Base(real), nil
}

// checkSourceFile refuses files that a guest could not open anyway.
func checkSourceFile(dir int, file, source string) error {
	fd, err := openPath(dir, file, 0)
	if err != nil {
		return fmt.Errorf("opening the source %s: %w", source, err)
	}
	defer unix.Close(fd)
	if err := checkOrdinary(fd, source); err != nil {
		return err
	}
	st, err := fstat(fd)
	if err != nil {
		return fmt.Errorf("opening the source %s: %w", source, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG && !isHarmless(&st) {
		return invalid("the source %s is a device, socket or FIFO, which guests are not given: name a file or folder", source)
	}
	return nil
}

// addDefault places a default file. One whose folder is a mount, or which the
// image has as something else than a folder, stays out.
func (t *Tree) addDefault(d DefaultFile) error {
	p, err := target(d.Path)
	if err != nil {
		return err
	}
	def := &defFile{data: d.Data, mode: d.Mode & 0o7777, dir: -1}
	if def.mode == 0 {
		def.mode = 0o644
	}
	if d.Source != "" {
		if !filepath.IsAbs(d.Source) {
			return invalid("the source %q must be an absolute host path", d.Source)
		}
		dir, file, err := resolveSource(d.Source)
		if err != nil {
			return err
		}
		if file == "" {
			return invalid("the source %s is a folder, wanted a file", d.Source)
		}
		if def.dir, err = unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err != nil {
			return fmt.Errorf("opening the source %s: %w", d.Source, err)
		}
		t.defaults = append(t.defaults, def)
		def.file = file
		if err := checkSourceFile(def.dir, file, d.Source); err != nil {
			return err
		}
	}
	return t.placeDefault(p, def)
}

func (t *Tree) placeDefault(p string, def *defFile) error {
	at, err := t.canonical(path.Dir(p))
	if err != nil || !at.overlay || at.e.at != absent && !at.e.isDir() {
		return err
	}
	name := path.Base(p)
	if len(name) > nameMax {
		return invalid("the name is too long")
	}
	if g := t.place(append(at.path, name)); g.mnt == nil && len(g.kids) == 0 {
		g.def = def
	}
	return nil
}

// addDevices offers the harmless devices of the host as default files. A host
// without them (a chroot) has none to offer.
func (t *Tree) addDevices() error {
	fd, err := unix.Open("/dev", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	t.devDir = fd
	names := make([]string, 0, len(harmless))
	for name := range harmless {
		names = append(names, name)
	}
	sort.Strings(names) // so that inode numbers are the same each time
	for _, name := range names {
		st, err := fstatat(fd, name)
		if err != nil || !isHarmless(&st) || unix.Minor(uint64(st.Rdev)) != harmless[name] {
			continue
		}
		if err := t.placeDefault("/dev/"+name, &defFile{dir: fd, file: name}); err != nil {
			return err
		}
	}
	return nil
}
