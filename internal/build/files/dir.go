package files

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// unixMode gives a mode's bits as a tar has them.
func unixMode(m fs.FileMode) int64 {
	mode := int64(m.Perm())
	for bit, unix := range map[fs.FileMode]int64{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if m&bit != 0 {
			mode |= unix
		}
	}
	return mode
}

// FromDir reads a folder that stays as it is while the tree is used. Owners are
// not read: an image unpacked without privileges has none. Special files are
// skipped.
func FromDir(dir string) (*Tree, error) {
	t := New()
	err := walk(dir, func(p string, n *Node, _ fs.FileInfo) { t.nodes[p] = n })
	return t, err
}

// walk calls f for all below dir, in order.
func walk(dir string, f func(p string, n *Node, info fs.FileInfo)) error {
	return filepath.WalkDir(dir, func(at string, d fs.DirEntry, err error) error {
		if err != nil || at == dir {
			return err
		}
		rel, err := filepath.Rel(dir, at)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		n := &Node{Mode: unixMode(info.Mode())}
		switch {
		case info.Mode().IsRegular():
			n.Type, n.Size = File, info.Size()
			n.Open = func() (io.ReadCloser, error) { return os.Open(at) }
		case info.IsDir():
			n.Type = Dir
		case info.Mode()&fs.ModeSymlink != 0:
			n.Type, n.Mode = Link, 0o777
			if n.Target, err = os.Readlink(at); err != nil {
				return err
			}
		default:
			return nil
		}
		f(filepath.ToSlash(rel), n, info)
		return nil
	})
}

// untouched is the time that WriteDir gives to all it writes, so that Changes
// sees by the time what was written after it, within one tick of the clock too.
var untouched = time.Unix(1, 0)

// WriteDir lays the tree into an empty folder of this machine.
func (t *Tree) WriteDir(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	paths := t.Paths()
	for _, p := range paths {
		if err := writeNode(root, filepath.FromSlash(p), t.nodes[p]); err != nil {
			return fmt.Errorf("laying out /%s: %w", p, err)
		}
	}
	for _, p := range paths {
		n := t.nodes[p]
		if p == "" || n.Type == Link {
			continue
		}
		// The mode again, as the process's umask took bits from it.
		if err := root.Chmod(filepath.FromSlash(p), laidOutMode(n)); err != nil {
			return err
		}
		if err := root.Chtimes(filepath.FromSlash(p), untouched, untouched); err != nil {
			return err
		}
	}
	return nil
}

// laidOutMode is the mode a node is given: who builds must be able to read and
// replace everything.
func laidOutMode(n *Node) fs.FileMode {
	if n.Type == Dir {
		return fs.FileMode(n.Mode).Perm() | 0o700
	}
	return fs.FileMode(n.Mode).Perm() | 0o600
}

func writeNode(root *os.Root, p string, n *Node) error {
	if p == "" {
		return nil
	}
	switch n.Type {
	case Dir:
		return root.Mkdir(p, laidOutMode(n))
	case Link:
		return root.Symlink(n.Target, p)
	}
	src, err := n.Open()
	if err != nil {
		return err
	}
	defer src.Close()
	f, err := root.OpenFile(p, os.O_CREATE|os.O_EXCL|os.O_WRONLY, laidOutMode(n))
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, src); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// Changes compares dir, which WriteDir made of t, with t: what is new or was
// written by path, and what is gone. The nodes read dir, which must stay.
func (t *Tree) Changes(dir string) (changed map[string]*Node, gone []string, err error) {
	changed = map[string]*Node{}
	seen := map[string]bool{}
	err = walk(dir, func(p string, n *Node, info fs.FileInfo) {
		seen[p] = true
		old, ok := t.nodes[p]
		if ok && old.Type == n.Type {
			same := n.Type == Link && n.Target == old.Target ||
				n.Type == Dir && info.Mode().Perm() == laidOutMode(old) ||
				n.Type == File && info.Mode().Perm() == laidOutMode(old) && info.ModTime().Equal(untouched) && n.Size == old.Size
			if same {
				return
			}
			n.UID, n.GID = old.UID, old.GID
		}
		changed[p] = n
	})
	for _, p := range t.Paths() {
		if p == "" || seen[p] {
			continue
		}
		gone = append(gone, p)
	}
	return changed, gone, err
}
