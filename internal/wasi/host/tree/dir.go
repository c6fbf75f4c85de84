//go:build linux

package tree

import "golang.org/x/sys/unix"

// Tree is an open tree. Its methods, and those of its nodes, may be called
// from several threads.
type Tree struct{}

// New opens the tree that c describes. Its errors are for people: they name
// the field, what was wanted and what was found.
func New(c Config) (*Tree, error) { return nil, unix.ENOSYS }

// Close gives back what the tree holds. Nodes opened from it stay usable until
// they are closed.
func (t *Tree) Close() error { return unix.ENOSYS }

// Root opens "/". The caller closes it.
func (t *Tree) Root() *Dir { return &Dir{} }

// Dir is an open directory.
type Dir struct{}

// Open opens path and returns a *Dir or a *File. Opening for writing brings a
// file of the image to the upper level first.
func (d *Dir) Open(path string, f OpenFlags) (Node, error) { return nil, unix.ENOSYS }

// Stat describes the directory itself.
func (d *Dir) Stat() (Stat, error) { return Stat{}, unix.ENOSYS }

// StatAt describes path; with follow, what a link there points to.
func (d *Dir) StatAt(path string, follow bool) (Stat, error) { return Stat{}, unix.ENOSYS }

// SetTimes sets the directory's own times.
func (d *Dir) SetTimes(t Times) error { return unix.ENOSYS }

// SetTimesAt sets the times of path.
func (d *Dir) SetTimesAt(path string, follow bool, t Times) error { return unix.ENOSYS }

// Mkdir creates a directory.
func (d *Dir) Mkdir(path string) error { return unix.ENOSYS }

// Rmdir removes an empty directory.
func (d *Dir) Rmdir(path string) error { return unix.ENOSYS }

// Unlink removes a name that is not a directory.
func (d *Dir) Unlink(path string) error { return unix.ENOSYS }

// Rename moves old to the path new in nd, replacing what is there as
// rename(2) does. It is EXDEV between mounts.
func (d *Dir) Rename(old string, nd *Dir, new string) error { return unix.ENOSYS }

// Link makes a hard link new in nd to old; with follow, to what a link at old
// points to.
func (d *Dir) Link(old string, follow bool, nd *Dir, new string) error { return unix.ENOSYS }

// Symlink makes a symbolic link at path. An absolute target is ErrNotCapable.
func (d *Dir) Symlink(target, path string) error { return unix.ENOSYS }

// Readlink returns the body of the link at path.
func (d *Dir) Readlink(path string) (string, error) { return "", unix.ENOSYS }

// Entries lists the directory, "." and ".." first, then by name.
func (d *Dir) Entries() ([]Entry, error) { return nil, unix.ENOSYS }

// Sync writes the directory to the disk.
func (d *Dir) Sync(dataOnly bool) error { return unix.ENOSYS }

// Close gives the directory back.
func (d *Dir) Close() error { return unix.ENOSYS }
