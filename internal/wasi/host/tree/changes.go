//go:build linux

package tree

import (
	"fmt"
	"path"
	"sort"
	"strings"

	"golang.org/x/sys/unix"
)

// ChangeKind is what became of a path, in Docker's letters.
type ChangeKind byte

// The kinds of changes.
const (
	Added   ChangeKind = 'A'
	Changed ChangeKind = 'C'
	Deleted ChangeKind = 'D'
)

// Change is one difference between an image and a container.
type Change struct {
	Path string // absolute path in the tree
	Kind ChangeKind
}

// Changes lists what the upper level changed of the image tree root, by path.
// An empty root is an empty image, and a level that is not there has changed
// nothing. A folder that replaces one of the image lists what it hides. Default
// files and mounts belong to neither and do not show. The container may run: a
// folder that it swaps for a link leads nowhere.
func Changes(root, upper string) ([]Change, error) {
	level := sides{data: -1, white: -1, image: -1}
	defer level.close()
	c := &comparison{top: &level, todo: []pending{{"/", true}}}
	for _, side := range []struct {
		path string
		fd   *int
	}{{path.Join(upper, "data"), &level.data}, {path.Join(upper, "white"), &level.white}, {root, &level.image}} {
		if side.path == "" {
			continue
		}
		fd, err := unix.Open(side.path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil && !isNothing(err) {
			return nil, fmt.Errorf("comparing %s with the image: opening %s: %w", upper, side.path, err)
		}
		if err == nil {
			*side.fd = fd
		}
	}
	for len(c.todo) > 0 {
		next := c.todo[len(c.todo)-1]
		c.todo = c.todo[:len(c.todo)-1]
		if err := c.folder(next.path, next.merged); err != nil {
			return nil, fmt.Errorf("comparing %s with the image: %w", upper, err)
		}
	}
	sort.Slice(c.list, func(i, j int) bool { return c.list[i].Path < c.list[j].Path })
	return c.list, nil
}

// sides are one folder in the three trees that are compared, O_PATH or -1.
type sides struct{ data, white, image int }

func (s *sides) close() { closeFD(s.data, s.white, s.image) }

// below gives the sides of a folder somewhere in s; what a side does not have
// is -1.
func (s *sides) below(rel string) (sides, error) {
	b := sides{-1, -1, -1}
	for _, side := range []struct {
		dir int
		fd  *int
	}{{s.data, &b.data}, {s.white, &b.white}, {s.image, &b.image}} {
		if side.dir < 0 {
			continue
		}
		fd, err := openFolder(side.dir, rel)
		if err == nil {
			*side.fd = fd
		} else if !isNothing(err) {
			b.close()
			return b, err
		}
	}
	return b, nil
}

// comparison goes from folder to folder with the descriptors of one at a time,
// since a guest can nest folders deeper than its engine has descriptors.
type comparison struct {
	top  *sides
	todo []pending
	list []Change
}

// pending is a folder that is still to be compared. merged says that the
// image's folder shows through; where it does not, it is hidden.
type pending struct {
	path   string
	merged bool
}

// openFolder opens a folder below dir without following links.
func openFolder(dir int, rel string) (int, error) {
	fd, err := openat2(dir, rel, unix.O_PATH|unix.O_DIRECTORY, beneath|unix.RESOLVE_NO_SYMLINKS)
	if err != unix.ENOSYS && err != unix.EAGAIN {
		return fd, err
	}
	if fd, err = dup(dir); err != nil {
		return -1, err
	}
	for name := range strings.SplitSeq(rel, "/") {
		if name == "" {
			continue
		}
		next, err := openPath(fd, name, unix.O_DIRECTORY)
		unix.Close(fd)
		if err != nil {
			return -1, err
		}
		fd = next
	}
	return fd, nil
}

func (c *comparison) add(path string, kind ChangeKind) {
	c.list = append(c.list, Change{path, kind})
}

// folder compares a folder that the upper level has.
func (c *comparison) folder(at string, merged bool) error {
	if len(at) > pathMax {
		return unix.ENAMETOOLONG
	}
	s, err := c.top.below("." + at)
	if err != nil {
		return err
	}
	defer s.close()
	if s.data < 0 {
		return nil // gone meanwhile
	}
	entries, err := list(s.data)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, e := range entries {
		seen[e.name] = true
		if err := c.entry(path.Join(at, e.name), e, &s, merged); err != nil {
			return err
		}
	}
	if s.image < 0 {
		return nil
	}
	// What is gone: the masked names, or all where the whole folder is masked.
	gone, kind := s.white, uint32(unix.S_IFREG)
	if !merged {
		gone, kind = s.image, 0
	}
	names, err := list(gone)
	if err != nil {
		return err
	}
	for _, n := range names {
		if seen[n.name] || kind != 0 && n.kind != kind {
			continue
		}
		_, err := fstatat(s.image, n.name)
		if err == nil {
			c.add(path.Join(at, n.name), Deleted)
		} else if !isNothing(err) {
			return err
		}
	}
	return nil
}

// entry compares one name of the upper level.
func (c *comparison) entry(at string, e dirent, s *sides, merged bool) error {
	var old unix.Stat_t
	err := error(unix.ENOENT)
	if s.image >= 0 {
		old, err = fstatat(s.image, e.name)
	}
	switch {
	case err == nil:
		c.add(at, Changed)
	case isNothing(err):
		c.add(at, Added)
	default:
		return err
	}
	if e.kind != unix.S_IFDIR {
		return nil
	}
	if merged && s.white >= 0 {
		mask, err := fstatat(s.white, e.name)
		merged = err != nil || mask.Mode&unix.S_IFMT != unix.S_IFREG
	}
	c.todo = append(c.todo, pending{at, merged && old.Mode&unix.S_IFMT == unix.S_IFDIR})
	return nil
}

// list reads a folder, the kinds of all it has included; none is empty.
func list(dir int) ([]dirent, error) {
	if dir < 0 {
		return nil, nil
	}
	all, err := readDir(dir)
	if err != nil {
		return nil, err
	}
	kept := all[:0]
	for _, d := range all {
		if d.complete(dir) == nil { // else gone meanwhile
			kept = append(kept, d)
		}
	}
	return kept, nil
}

// isNothing tells that a name is not there, or not as a folder.
func isNothing(err error) bool {
	return err == unix.ENOENT || err == unix.ENOTDIR || err == unix.ELOOP
}
