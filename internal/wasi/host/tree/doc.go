// Package tree is the part of the file system that a guest can reach: one
// tree "/" joined from an image's flattened tree, a container's own upper
// level, the mounts inside it, and a few default files.
//
// It works on directory descriptors and plain system calls, as an ordinary
// user or as root, without namespaces, kernel overlays or mounts. Whatever the
// guest writes, and whatever happens beside it (a folder swapped for a link, a
// rename above a walk), nothing outside those folders is opened.
//
// # Paths
//
// A path is relative to a Dir. Written absolute, or climbing above its Dir, it
// is ErrNotCapable, as WASI demands. The body of a symbolic link that is
// absolute or climbs resolves against the tree's root and never above it, as
// in a chroot, because images contain such links.
//
// # What is refused
//
// Kernel file systems (procfs, sysfs, cgroup, debugfs, devpts and others) are
// EACCES wherever they show up, because writing to /proc/self/mem or sysfs is
// a way out of any sandbox. Sockets, FIFOs and device nodes of an image or a
// mount are never opened (EACCES), and none makes an open wait. /dev/null and
// its harmless relatives are the tree's own, and lie over what an image has at
// their paths.
//
// # Writing
//
// A file of the image is copied to the upper level when it is opened for
// writing, truncated, linked or given other times. As with kernel overlays, a
// File that was opened for reading before shows the image's content on. Names
// that go away are masked (see upper.go). Owners and modes are kept where the
// process is root; any other user owns its copies, and changes only what the
// image's permission bits grant it (see permit.go).
// Extended attributes are not copied: no guest can see them.
//
// # Embedding
//
// Programs that show or pack a container's files (export, copy, commit) read
// the joined tree by Entries, StatAt, Readlink and Open, and unpack into it by
// Open, Mkdir, SymlinkAny, SetMode, SetOwner and SetTimesAt. Changes lists what
// a container did, Remove takes its level away.
//
// The package must not know WebAssembly, WASI's numbers, images or containers.
package tree
