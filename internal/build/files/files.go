// Package files holds file trees as an index in memory: a build's context, and
// what each stage's image has in it. Links are resolved in the index, so a
// hostile context or image never steers a path of this machine; only the
// content of regular files lies on disk.
//
// It must know neither Dockerfiles nor the store.
package files

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
)

// Type is what a node is.
type Type byte

// The types of nodes.
const (
	File Type = iota + 1
	Dir
	Link
)

// Node is a file, folder or symbolic link. It is never changed once it is in a
// tree, so trees may share it.
type Node struct {
	Type Type
	// Mode holds the permission bits, setuid, setgid and sticky included, as
	// in a tar.
	Mode     int64
	UID, GID int
	// Target is where a link points.
	Target string
	// Size is a file's length in bytes.
	Size int64
	// Open opens a file's content.
	Open func() (io.ReadCloser, error)
}

// NewDir is a folder as builders make missing ones.
func NewDir() *Node { return &Node{Type: Dir, Mode: 0o755} }

// NewFile is a file with content in memory.
func NewFile(data string) *Node {
	return &Node{Type: File, Mode: 0o644, Size: int64(len(data)), Open: func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(data)), nil
	}}
}

// Tree is a file tree. Paths are slash-separated and clean, without a leading
// slash; the root is "".
type Tree struct{ nodes map[string]*Node }

// New is a tree with a root only.
func New() *Tree { return &Tree{map[string]*Node{"": NewDir()}} }

// Clone is a tree with the same nodes.
func (t *Tree) Clone() *Tree { return &Tree{maps.Clone(t.nodes)} }

// Clean makes a tree's path of any: it can't climb above the root.
func Clean(p string) string { return strings.TrimPrefix(path.Clean("/"+p), "/") }

// Get gives the node right at a clean path, links not followed.
func (t *Tree) Get(p string) (*Node, bool) {
	n, ok := t.nodes[p]
	return n, ok
}

// Paths are all paths in order, the root's first.
func (t *Tree) Paths() []string { return slices.Sorted(maps.Keys(t.nodes)) }

// Below are the paths below a folder, in order.
func (t *Tree) Below(dir string) []string {
	var out []string
	for p := range t.nodes {
		if p != "" && (dir == "" || strings.HasPrefix(p, dir+"/")) {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return out
}

// maxLinks is how many links a path may lead through, as in Linux.
const maxLinks = 40

// Resolve follows the links of a path as a chroot would: all of them, or with
// last false not that of the last part. What is not there is no error; its path
// is where it would be made, and the node is nil.
func (t *Tree) Resolve(p string, last bool) (string, *Node, error) {
	rest := strings.Split(Clean(p), "/")
	at, links := "", 0
	for len(rest) > 0 {
		part := rest[0]
		rest = rest[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			at = Clean(path.Dir("/" + at))
			continue
		}
		next := path.Join(at, part)
		n, ok := t.nodes[next]
		switch {
		case ok && n.Type == Link && (last || len(rest) > 0):
			if links++; links > maxLinks {
				return "", nil, fmt.Errorf("/%s: too many links: %w", Clean(p), errdefs.ErrInvalidArgument)
			}
			if path.IsAbs(n.Target) {
				at = ""
			}
			rest = append(strings.Split(n.Target, "/"), rest...)
			continue
		case ok && n.Type == File && len(rest) > 0:
			return "", nil, fmt.Errorf("/%s is a file, not a folder: %w", next, errdefs.ErrInvalidArgument)
		}
		at = next
	}
	return at, t.nodes[at], nil
}

// errIsDir and its like tell what stands where something is to be put.
var (
	errIsDir  = errors.New("there is a folder")
	errNotDir = errors.New("there is a file")
)

// Put lays a node at a clean path whose parents exist.
func (t *Tree) Put(p string, n *Node) error {
	old, ok := t.nodes[p]
	if ok && (old.Type == Dir) != (n.Type == Dir) {
		err := errNotDir
		if old.Type == Dir {
			err = errIsDir
		}
		return fmt.Errorf("can't put /%s: %w: %w", p, err, errdefs.ErrInvalidArgument)
	}
	t.nodes[p] = n
	return nil
}

// Replace lays a node at a clean path whatever is there.
func (t *Tree) Replace(p string, n *Node) {
	if n.Type != Dir {
		t.Remove(p)
	}
	t.nodes[p] = n
}

// Remove takes away a path and all below it; the root stays.
func (t *Tree) Remove(p string) {
	if p == "" {
		return
	}
	if n, ok := t.nodes[p]; ok && n.Type == Dir {
		for _, below := range t.Below(p) {
			delete(t.nodes, below)
		}
	}
	delete(t.nodes, p)
}

// MakeDirs makes the folder at a clean path with its parents and answers the
// paths that were not there, outermost first.
func (t *Tree) MakeDirs(p string) ([]string, error) {
	var made []string
	for i := 0; i <= len(p); i++ {
		if i < len(p) && p[i] != '/' {
			continue
		}
		dir := p[:i]
		switch n, ok := t.nodes[dir]; {
		case !ok:
			t.nodes[dir] = NewDir()
			made = append(made, dir)
		case n.Type != Dir:
			return made, fmt.Errorf("/%s is no folder: %w", dir, errdefs.ErrInvalidArgument)
		}
	}
	return made, nil
}

// Match gives the clean paths that a pattern of path.Match matches.
func (t *Tree) Match(pattern string) ([]string, error) {
	pattern = Clean(pattern)
	var out []string
	for p := range t.nodes {
		ok, err := path.Match(pattern, p)
		if err != nil {
			return nil, fmt.Errorf("pattern %q: %w: %w", pattern, err, errdefs.ErrInvalidArgument)
		}
		if ok {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return out, nil
}
