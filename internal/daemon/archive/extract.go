//go:build linux

package archive

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"wherry/internal/daemon/fault"
	"wherry/internal/wasi/host/tree"
)

// Extract unpacks a tar stream into the folder at p. Entries that climb out of
// the folder by name are refused; links in the tree resolve inside the tree.
// With keepKinds, a folder does not take the place of a file, nor the other
// way round.
func Extract(ctx context.Context, root *tree.Dir, p string, keepKinds bool, r io.Reader) error {
	n, err := root.Open(Relative(p), tree.OpenFlags{Read: true, Directory: true, Follow: true})
	if err != nil {
		if errors.Is(err, unix.ENOTDIR) {
			return fault.Invalid("extraction point is not a directory: %s", p)
		}
		return explain(p, err)
	}
	dir, ok := n.(*tree.Dir)
	if !ok {
		return errors.Join(fault.Invalid("extraction point is not a directory: %s", p), n.Close())
	}
	defer dir.Close()
	x := &extractor{dir: dir, keepKinds: keepKinds}
	for tr := tar.NewReader(r); ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return x.finish()
		}
		if err != nil {
			return fault.Invalid("read the archive: %w", err)
		}
		if err := x.entry(h, tr); err != nil {
			return err
		}
	}
}

type extractor struct {
	dir       *tree.Dir
	keepKinds bool
	// dirs are the folders whose times are set at the end, when nothing is
	// written into them any more.
	dirs []*tar.Header
}

// maxName bounds an entry's name, as PATH_MAX does.
const maxName = 4096

func (x *extractor) entry(h *tar.Header, r io.Reader) error {
	name, err := entryName(h.Name)
	if err != nil {
		return err
	}
	if err := x.parents(name); err != nil {
		return err
	}
	if h.Typeflag == tar.TypeDir {
		if err := x.mkdir(name); err != nil {
			return err
		}
		h.Name = name
		x.dirs = append(x.dirs, h)
		return nil
	}
	if name == "." {
		return fault.Invalid("the archive's entry %q is no folder", h.Name)
	}
	if err := x.clear(name); err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeReg:
		return x.file(name, h, r)
	case tar.TypeSymlink:
		return explainNil(name, x.dir.SymlinkAny(h.Linkname, name))
	case tar.TypeLink:
		target, err := entryName(h.Linkname)
		if err != nil {
			return err
		}
		return explainNil(name, x.dir.Link(target, false, x.dir, name))
	case tar.TypeXGlobalHeader:
		return nil
	default:
		return fault.Invalid("the archive's entry %q is neither file, folder nor link (type %q): WASI has no devices or pipes", h.Name, h.Typeflag)
	}
}

// entryName makes an entry's name relative, and refuses one that climbs.
func entryName(name string) (string, error) {
	if len(name) > maxName || strings.ContainsRune(name, 0) {
		return "", fault.Invalid("the archive's entry %q has an impossible name", name[:min(len(name), 64)])
	}
	clean := path.Clean(strings.TrimLeft(name, "/"))
	if clean == ".." || strings.HasPrefix(clean, "../") {
		return "", fault.Invalid("the archive's entry %q leads out of the destination", name)
	}
	return clean, nil
}

func explainNil(name string, err error) error {
	if err == nil {
		return nil
	}
	return explain(name, err)
}

// parents makes the folders on the way to name.
func (x *extractor) parents(name string) error {
	parent := path.Dir(name)
	if parent == "." {
		return nil
	}
	st, err := x.dir.StatAt(parent, true)
	if err == nil {
		if st.Type != tree.TypeDirectory {
			return explain(parent, unix.ENOTDIR)
		}
		return nil
	}
	if !errors.Is(err, unix.ENOENT) {
		return explain(parent, err)
	}
	if err := x.parents(parent); err != nil {
		return err
	}
	return explainNil(parent, x.dir.Mkdir(parent))
}

func (x *extractor) mkdir(name string) error {
	if name == "." {
		return nil
	}
	st, err := x.dir.StatAt(name, false)
	switch {
	case errors.Is(err, unix.ENOENT):
	case err != nil:
		return explain(name, err)
	case st.Type == tree.TypeDirectory:
		return nil
	case st.Type == tree.TypeSymlink:
		// A link to a folder stands for the folder.
		if st, err := x.dir.StatAt(name, true); err == nil && st.Type == tree.TypeDirectory {
			return nil
		}
		fallthrough
	default:
		if x.keepKinds {
			return fault.Invalid("cannot overwrite non-directory %q with directory", name)
		}
		if err := x.dir.Unlink(name); err != nil {
			return explain(name, err)
		}
	}
	return explainNil(name, x.dir.Mkdir(name))
}

// clear makes room for something that is no folder.
func (x *extractor) clear(name string) error {
	st, err := x.dir.StatAt(name, false)
	switch {
	case errors.Is(err, unix.ENOENT):
		return nil
	case err != nil:
		return explain(name, err)
	case st.Type != tree.TypeDirectory:
		return explainNil(name, x.dir.Unlink(name))
	case x.keepKinds:
		return fault.Invalid("cannot overwrite directory %q with non-directory", name)
	}
	return x.removeAll(x.dir, name, name)
}

// removeAll removes a folder with all it holds.
func (x *extractor) removeAll(dir *tree.Dir, rel, name string) error {
	n, err := dir.Open(rel, tree.OpenFlags{Read: true, Directory: true})
	if err != nil {
		return explain(name, err)
	}
	sub := n.(*tree.Dir)
	defer sub.Close()
	entries, err := sub.Entries()
	if err != nil {
		return explain(name, err)
	}
	for _, e := range entries {
		switch {
		case e.Name == "." || e.Name == "..":
		case e.Type == tree.TypeDirectory:
			if err := x.removeAll(sub, e.Name, name+"/"+e.Name); err != nil {
				return err
			}
		default:
			if err := sub.Unlink(e.Name); err != nil {
				return explain(name+"/"+e.Name, err)
			}
		}
	}
	return explainNil(name, dir.Rmdir(rel))
}

func (x *extractor) file(name string, h *tar.Header, r io.Reader) (err error) {
	n, err := x.dir.Open(name, tree.OpenFlags{Write: true, Create: true, Exclusive: true})
	if err != nil {
		return explain(name, err)
	}
	defer func() {
		if e := n.Close(); err == nil {
			err = e
		}
	}()
	f, ok := n.(*tree.File)
	if !ok {
		return explain(name, unix.EISDIR)
	}
	if err := f.Room(h.Size); err != nil {
		return explain(name, err)
	}
	if _, err := io.CopyN(fdWriter(f.FD()), r, h.Size); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := unix.Fchmod(f.FD(), uint32(h.Mode&0o777)); err != nil {
		return explain(name, err)
	}
	return explainNil(name, f.SetTimes(mtime(h)))
}

func mtime(h *tar.Header) tree.Times {
	if h.ModTime.IsZero() {
		return tree.Times{}
	}
	return tree.Times{Mtim: h.ModTime.UnixNano(), SetMtim: true}
}

// finish sets the folders' times, the inner ones first.
func (x *extractor) finish() error {
	for i := len(x.dirs) - 1; i >= 0; i-- {
		h := x.dirs[i]
		n, err := x.dir.Open(h.Name, tree.OpenFlags{Read: true, Directory: true, Follow: true})
		if err != nil {
			return explain(h.Name, err)
		}
		err = n.SetTimes(mtime(h))
		if e := n.Close(); err == nil {
			err = e
		}
		if err != nil && !errors.Is(err, unix.EROFS) && !errors.Is(err, unix.EPERM) {
			return explain(h.Name, err)
		}
	}
	return nil
}

// fdWriter writes a raw descriptor.
type fdWriter int

func (fd fdWriter) Write(p []byte) (int, error) {
	done := 0
	for done < len(p) {
		n, err := unix.Write(int(fd), p[done:])
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return done, err
		}
		done += n
	}
	return done, nil
}
