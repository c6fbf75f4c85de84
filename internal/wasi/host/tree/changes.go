//go:build linux

package tree

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"

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
// files and mounts belong to neither and do not show.
func Changes(root, upper string) ([]Change, error) {
	c := &comparison{root: root, data: filepath.Join(upper, "data"), white: filepath.Join(upper, "white")}
	if err := c.folder("/", true, root != ""); err != nil {
		return nil, fmt.Errorf("comparing %s with the image: %w", upper, err)
	}
	sort.Slice(c.list, func(i, j int) bool { return c.list[i].Path < c.list[j].Path })
	return c.list, nil
}

type comparison struct {
	root, data, white string
	list              []Change
}

func (c *comparison) add(path string, kind ChangeKind) {
	c.list = append(c.list, Change{path, kind})
}

// folder compares a folder that the upper level has. old says that the image has
// a folder there too (its links are not passed: they lead to the host's files),
// merged that it shows through.
func (c *comparison) folder(path string, merged, old bool) error {
	names, err := list(filepath.Join(c.data, path))
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, name := range names {
		seen[name] = true
		if err := c.entry(filepath.Join(path, name), merged, old); err != nil {
			return err
		}
	}
	if !old {
		return nil
	}
	if !merged {
		return c.hidden(path, seen)
	}
	masks, err := list(filepath.Join(c.white, path))
	if err != nil {
		return err
	}
	for _, name := range masks {
		p := filepath.Join(path, name)
		info, err := os.Lstat(filepath.Join(c.white, p))
		if err != nil {
			return err
		}
		below, err := c.below(p)
		if err != nil {
			return err
		}
		if info.Mode().IsRegular() && below != nil && !seen[name] {
			c.add(p, Deleted)
		}
	}
	return nil
}

// hidden lists what the image has in a folder that is replaced.
func (c *comparison) hidden(path string, seen map[string]bool) error {
	names, err := list(filepath.Join(c.root, path))
	for _, name := range names {
		if !seen[name] {
			c.add(filepath.Join(path, name), Deleted)
		}
	}
	return err
}

// entry compares one name of the upper level.
func (c *comparison) entry(path string, merged, inOld bool) error {
	info, err := os.Lstat(filepath.Join(c.data, path))
	if err != nil {
		return err
	}
	var old fs.FileInfo
	if inOld {
		if old, err = c.below(path); err != nil {
			return err
		}
	}
	kind := Changed
	if old == nil {
		kind = Added
	}
	c.add(path, kind)
	if !info.IsDir() {
		return nil
	}
	if mask, err := os.Lstat(filepath.Join(c.white, path)); merged && err == nil && mask.Mode().IsRegular() {
		merged = false
	}
	inOld = old != nil && old.IsDir()
	return c.folder(path, merged && inOld, inOld)
}

// below is what the image has at path, whose folder it has; nil for nothing.
func (c *comparison) below(path string) (fs.FileInfo, error) {
	info, err := os.Lstat(filepath.Join(c.root, path))
	if errors.Is(err, fs.ErrNotExist) || isNotDir(err) {
		return nil, nil
	}
	return info, err
}

// list names what is in a folder; one that is not there is empty.
func list(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || isNotDir(err) {
		return nil, nil
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, err
}

func isNotDir(err error) bool { return errors.Is(err, unix.ENOTDIR) }
