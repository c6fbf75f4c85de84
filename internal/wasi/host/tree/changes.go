//go:build linux

package tree

import "golang.org/x/sys/unix"

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
func Changes(root, upper string) ([]Change, error) { return nil, unix.ENOSYS }
