//go:build linux

package tree

import (
	"errors"

	"golang.org/x/sys/unix"
)

// ErrNotCapable says that a path was written absolute or climbs above the
// directory it is relative to (WASI's errno NOTCAPABLE). Every other error of
// a guest's operation is a unix.Errno.
var ErrNotCapable = errors.New("path leaves its directory")

// Config says what a tree is made of. It is handed to the container process as
// JSON.
type Config struct {
	// Root is the host folder with an image's flattened tree, which is never
	// written. Empty means an empty tree.
	Root string `json:"root,omitempty"`
	// Upper is the host folder of the container's own level, made where it
	// does not exist. Empty means that the root cannot be written.
	Upper string `json:"upper,omitempty"`
	// Own says that Root is the container's own, such as a snapshot that was
	// mounted for it, and is written in place. Upper then holds only what the
	// tree has to remember beside it: which of the Defaults were removed.
	Own bool `json:"own,omitempty"`
	// ReadOnly shows Upper but refuses to write to it (EROFS). Mounts keep
	// their own rule.
	ReadOnly bool `json:"readOnly,omitempty"`
	// Mounts lie over whatever the image and Upper have at their targets;
	// a target's links are followed inside the tree, and missing folders on
	// the way appear without being created. Order does not matter.
	Mounts []Mount `json:"mounts,omitempty"`
	// Defaults exist unless the image or Upper has something at their paths, or
	// a mount lies over their folder.
	Defaults []DefaultFile `json:"defaults,omitempty"`
	// NoDevices leaves out /dev/null, /dev/zero, /dev/full, /dev/random and
	// /dev/urandom, which otherwise exist as Defaults do.
	NoDevices bool `json:"noDevices,omitempty"`
}

// Mount puts a host folder or file at a path of the tree.
type Mount struct {
	// Target is the absolute path in the tree.
	Target string `json:"target"`
	// Source is the absolute host path. With Tmpfs it may be empty.
	Source string `json:"source,omitempty"`
	// ReadOnly refuses writing (EROFS).
	ReadOnly bool `json:"readOnly,omitempty"`
	// File says that Source is a single file, as New then insists. Where it is
	// false, New looks for itself.
	File bool `json:"file,omitempty"`
	// Tmpfs asks for an empty folder that goes away with the tree: a kernel
	// tmpfs where that is allowed, otherwise a scratch folder below Upper.
	Tmpfs bool `json:"tmpfs,omitempty"`
	// Size bounds a Tmpfs, in bytes; 0 means no bound.
	Size int64 `json:"size,omitempty"`
	// Mode is the permission bits of a Tmpfs; 0 means 1777, as of the kernel's.
	Mode uint32 `json:"mode,omitempty"`
}

// DefaultFile is a file that exists unless the image or the upper level has
// its own at that path.
type DefaultFile struct {
	// Path is the absolute path in the tree.
	Path string `json:"path"`
	// Data is the content.
	Data []byte `json:"data,omitempty"`
	// Source, where set, is an absolute host path whose content is used in
	// place of Data. Such a file can't be opened for writing (EROFS); it can be
	// removed, renamed, or replaced by another.
	Source string `json:"source,omitempty"`
	// Mode is the permission bits; 0 means 0644.
	Mode uint32 `json:"mode,omitempty"`
}

// OpenFlags says how Dir.Open opens. The zero value opens for reading without
// following a link in the last component.
type OpenFlags struct {
	Read, Write bool
	// Append, Create, Exclusive, Truncate, Directory, NonBlock, Sync and DSync
	// mean what open(2) says of O_APPEND and so on.
	Append, Create, Exclusive, Truncate, Directory bool
	NonBlock, Sync, DSync                          bool
	// Follow follows a link in the last component.
	Follow bool
}

// FileType is the kind of a node, in the numbers of WASI preview1's filetype.
type FileType uint8

// The kinds of nodes. A FIFO is TypeUnknown.
const (
	TypeUnknown         FileType = 0
	TypeBlockDevice     FileType = 1
	TypeCharacterDevice FileType = 2
	TypeDirectory       FileType = 3
	TypeRegular         FileType = 4
	TypeSocket          FileType = 6
	TypeSymlink         FileType = 7
)

// Stat describes a node. Times are nanoseconds since 1970, Size is in bytes.
// Dev and Ino stay the same when a node moves from the image to the upper
// level, for as long as the tree is open.
type Stat struct {
	Dev, Ino           uint64
	Type               FileType
	Nlink, Size        uint64
	Atim, Mtim, Ctim   int64
	Mode               uint32 // permission bits, setuid, setgid and sticky included
	UID, GID           uint32
	DevMajor, DevMinor uint32 // of a device node itself
}

// Times says which times to set. A time that is neither set nor "now" stays.
type Times struct {
	Atim, Mtim       int64 // ns since 1970
	SetAtim, SetMtim bool  // set to Atim, Mtim
	NowAtim, NowMtim bool  // set to the present time; wins over SetAtim, SetMtim
}

// Entry is one name in a directory.
type Entry struct {
	Name string
	Ino  uint64
	Type FileType
}

// Node is an open *Dir or *File.
type Node interface {
	Stat() (Stat, error)
	SetTimes(Times) error
	// Sync writes the node to the disk; dataOnly leaves out its times.
	Sync(dataOnly bool) error
	Close() error
}

var (
	_ Node = (*Dir)(nil)
	_ Node = (*File)(nil)
)

func typeOfMode(mode uint32) FileType {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return TypeRegular
	case unix.S_IFDIR:
		return TypeDirectory
	case unix.S_IFLNK:
		return TypeSymlink
	case unix.S_IFCHR:
		return TypeCharacterDevice
	case unix.S_IFBLK:
		return TypeBlockDevice
	case unix.S_IFSOCK:
		return TypeSocket
	}
	return TypeUnknown
}
