//go:build linux

package tree

import "golang.org/x/sys/unix"

// File is an open regular file (or one of the harmless devices).
type File struct{}

// FD is the raw descriptor, close-on-exec and the File's own. It is opened for
// just what OpenFlags asked for (O_APPEND, O_NONBLOCK, O_SYNC included, which
// fcntl may change).
func (f *File) FD() int { return -1 }

// Append says whether the file was opened with OpenFlags.Append.
func (f *File) Append() bool { return false }

// Readable and Writable say for what the descriptor is open.
func (f *File) Readable() bool { return false }

// Writable says whether the descriptor may be written.
func (f *File) Writable() bool { return false }

// Type is the file's kind: TypeRegular or TypeCharacterDevice.
func (f *File) Type() FileType { return TypeRegular }

// Room must be asked before the file is written, truncated or allocated beyond
// its end: end is the size in bytes that it would get. It is ENOSPC where a
// Mount.Size would be exceeded, and costs nothing elsewhere.
func (f *File) Room(end int64) error { return nil }

// Stat describes the file.
func (f *File) Stat() (Stat, error) { return Stat{}, unix.ENOSYS }

// SetTimes sets the file's times.
func (f *File) SetTimes(t Times) error { return unix.ENOSYS }

// Sync writes the file to the disk.
func (f *File) Sync(dataOnly bool) error { return unix.ENOSYS }

// Close gives the file back.
func (f *File) Close() error { return unix.ENOSYS }
