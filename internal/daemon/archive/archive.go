//go:build linux

// Package archive carries files between a container's tree and tar streams,
// for cp and export. Every path is resolved by the tree, so that no link and
// no ".." of the container's or the archive's leads to the host.
//
// It must not know containers.
package archive

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	"golang.org/x/sys/unix"

	"wherry/internal/daemon/fault"
	"wherry/internal/wasi/host/tree"
)

// Relative is a container's path as the tree wants it: relative to "/", and
// never above it.
func Relative(p string) string {
	p = strings.TrimPrefix(path.Clean("/"+p), "/")
	if p == "" {
		return "."
	}
	return p
}

// Stat describes what is at a path, a link itself where the path does not end
// in a slash.
func Stat(root *tree.Dir, p string) (container.PathStat, error) {
	follow := strings.HasSuffix(p, "/") || strings.HasSuffix(p, "/.")
	st, err := root.StatAt(Relative(p), follow)
	if err != nil {
		return container.PathStat{}, explain(p, err)
	}
	if follow && st.Type != tree.TypeDirectory {
		return container.PathStat{}, explain(p, unix.ENOTDIR)
	}
	s := container.PathStat{
		Name: path.Base(path.Clean("/" + p)), Size: int64(st.Size), Mode: modeOf(st), Mtime: time.Unix(0, st.Mtim),
	}
	if st.Type == tree.TypeSymlink {
		target, err := root.Readlink(Relative(p))
		if err != nil {
			return container.PathStat{}, explain(p, err)
		}
		if !path.IsAbs(target) {
			target = path.Join(path.Dir(path.Clean("/"+p)), target)
		}
		s.LinkTarget = path.Clean(target)
	}
	return s, nil
}

// explain puts a system's error in Docker's words and class.
func explain(p string, err error) error {
	switch {
	case errors.Is(err, unix.ENOENT):
		return fault.NotFound("Could not find the file %s in container", p)
	case errors.Is(err, unix.ENOTDIR):
		return fault.Invalid("%s: not a directory", p)
	case errors.Is(err, unix.EROFS):
		return fault.Conflict("%s: the container's files are read-only there", p)
	case errors.Is(err, tree.ErrNotCapable), errors.Is(err, unix.EACCES):
		return fault.Invalid("%s: %w", p, err)
	default:
		return fmt.Errorf("%s: %w", p, err)
	}
}

func modeOf(st tree.Stat) os.FileMode {
	m := os.FileMode(st.Mode & 0o777)
	switch st.Type {
	case tree.TypeDirectory:
		m |= os.ModeDir
	case tree.TypeSymlink:
		m |= os.ModeSymlink
	case tree.TypeCharacterDevice:
		m |= os.ModeDevice | os.ModeCharDevice
	case tree.TypeBlockDevice:
		m |= os.ModeDevice
	case tree.TypeSocket:
		m |= os.ModeSocket
	case tree.TypeRegular:
	default:
		m |= os.ModeNamedPipe
	}
	return m
}

// Write writes what is at a path into a tar stream under the name base; a
// folder with all it holds. Links stay links.
func Write(ctx context.Context, root *tree.Dir, p, base string, w io.Writer) error {
	tw := tar.NewWriter(w)
	rel := Relative(p)
	st, err := root.StatAt(rel, strings.HasSuffix(p, "/") || strings.HasSuffix(p, "/."))
	if err != nil {
		return explain(p, err)
	}
	if st.Type == tree.TypeDirectory {
		n, err := root.Open(rel, tree.OpenFlags{Read: true, Directory: true, Follow: true})
		if err != nil {
			return explain(p, err)
		}
		dir := n.(*tree.Dir)
		defer dir.Close()
		err = writeDir(ctx, tw, dir, base, st)
		if err != nil {
			return err
		}
		return tw.Close()
	}
	if err := writeOne(tw, root, rel, base, st); err != nil {
		return err
	}
	return tw.Close()
}

// writeDir writes a folder: one descriptor is open for each level, and names
// are looked up in it, so that nothing swapped meanwhile leads elsewhere.
func writeDir(ctx context.Context, tw *tar.Writer, dir *tree.Dir, name string, st tree.Stat) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if name != "" {
		h := header(name+"/", st)
		h.Typeflag = tar.TypeDir
		if err := tw.WriteHeader(h); err != nil {
			return err
		}
	}
	entries, err := dir.Entries()
	if err != nil {
		return explain(name, err)
	}
	for _, e := range entries {
		if e.Name == "." || e.Name == ".." {
			continue
		}
		below := e.Name
		if name != "" {
			below = name + "/" + e.Name
		}
		st, err := dir.StatAt(e.Name, false)
		if errors.Is(err, unix.ENOENT) {
			continue // removed meanwhile
		}
		if err != nil {
			return explain(below, err)
		}
		if st.Type != tree.TypeDirectory {
			if err := writeOne(tw, dir, e.Name, below, st); err != nil {
				return err
			}
			continue
		}
		n, err := dir.Open(e.Name, tree.OpenFlags{Read: true, Directory: true})
		if errors.Is(err, unix.ENOENT) {
			continue
		}
		if err != nil {
			return explain(below, err)
		}
		err = writeDir(ctx, tw, n.(*tree.Dir), below, st)
		_ = n.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

func header(name string, st tree.Stat) *tar.Header {
	return &tar.Header{
		Name: name, Mode: int64(st.Mode & 0o7777), ModTime: time.Unix(0, st.Mtim),
		Uid: int(st.UID), Gid: int(st.GID), Format: tar.FormatPAX,
	}
}

// writeOne writes a file or a link. Devices, sockets and pipes are left out:
// a guest cannot have made one, and those of the host are not its own.
func writeOne(tw *tar.Writer, dir *tree.Dir, rel, name string, st tree.Stat) error {
	h := header(name, st)
	switch st.Type {
	case tree.TypeSymlink:
		target, err := dir.Readlink(rel)
		if err != nil {
			return explain(name, err)
		}
		h.Typeflag, h.Linkname = tar.TypeSymlink, target
		return tw.WriteHeader(h)
	case tree.TypeRegular:
	default:
		return nil
	}
	n, err := dir.Open(rel, tree.OpenFlags{Read: true})
	if errors.Is(err, unix.ENOENT) {
		return nil // removed meanwhile
	}
	if err != nil {
		return explain(name, err)
	}
	f, ok := n.(*tree.File)
	if !ok {
		return errors.Join(fmt.Errorf("%s became a folder while it was read", name), n.Close())
	}
	defer f.Close()
	now, err := f.Stat()
	if err != nil {
		return explain(name, err)
	}
	h.Typeflag, h.Size = tar.TypeReg, int64(now.Size)
	if err := tw.WriteHeader(h); err != nil {
		return err
	}
	// What is appended meanwhile is left out; what is cut off meanwhile makes
	// the copy fail rather than lie.
	if _, err := io.CopyN(tw, fdReader(f.FD()), h.Size); err != nil {
		return fmt.Errorf("%s changed while it was read: %w", name, err)
	}
	return nil
}

// fdReader reads a raw descriptor.
type fdReader int

func (fd fdReader) Read(p []byte) (int, error) {
	for {
		n, err := unix.Read(int(fd), p)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return 0, err
		case n == 0 && len(p) > 0:
			return 0, io.EOF
		}
		return n, nil
	}
}

// Reader reads an open file of a tree from where it stands.
func Reader(f *tree.File) io.Reader { return fdReader(f.FD()) }
