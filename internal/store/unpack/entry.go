package unpack

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	digest "github.com/opencontainers/go-digest"
)

// Whiteouts (OCI image-spec, layer.md, "Whiteouts").
const (
	whiteout = ".wh."
	opaque   = ".wh..wh..opq"
	// metadata begins names that aufs kept for itself.
	metadata = ".wh..wh."
)

const (
	// maxLinks is how many symbolic links a parent folder may lead through.
	maxLinks = 40
	// maxPath is how long a path may be, in bytes, with links followed: Linux's
	// PATH_MAX. It bounds how deep an image nests folders, and so what removing
	// them takes.
	maxPath = 4096
)

// entry unpacks one entry.
func (x *extractor) entry(h *tar.Header, r io.Reader) error {
	name, err := relative(h.Name)
	if err != nil {
		return err
	}
	if name == "." {
		return nil
	}
	dir, err := x.parent(path.Dir(name))
	if err != nil {
		return err
	}
	base := path.Base(name)
	if strings.HasPrefix(base, whiteout) {
		return x.whiteout(dir, base)
	}
	p := path.Join(dir, base)
	switch h.Typeflag {
	case tar.TypeDir:
		err = x.folder(p, h)
	case tar.TypeReg, '\x00', tar.TypeGNUSparse:
		err = x.file(p, h, r)
	case tar.TypeSymlink:
		err = x.symlink(p, h)
	case tar.TypeLink:
		err = x.hardlink(p, h)
	case tar.TypeBlock, tar.TypeChar:
		x.result.Skipped["device nodes"]++
		return nil
	case tar.TypeFifo:
		x.result.Skipped["named pipes"]++
		return nil
	case tar.TypeXGlobalHeader:
		return nil
	default:
		return fmt.Errorf("the type %q of entry is unknown: %w", h.Typeflag, errdefs.ErrInvalidArgument)
	}
	if err != nil {
		return err
	}
	return x.made(p)
}

// relative cleans a name to a path below the root. Absolute names are taken
// as relative to it, as everyone does; names that climb out are refused.
func relative(name string) (string, error) {
	if strings.ContainsRune(name, 0) || len(name) > maxPath {
		return "", fmt.Errorf("the name is no file name: %w", errdefs.ErrInvalidArgument)
	}
	p := path.Clean(strings.TrimLeft(name, "/"))
	if p == ".." || strings.HasPrefix(p, "../") {
		return "", fmt.Errorf("the name leads out of the image: %w", errdefs.ErrInvalidArgument)
	}
	return p, nil
}

// remove takes away what is at p, and what is known of it.
func (x *extractor) remove(p string) error {
	root, name, err := x.near(p)
	if err != nil {
		return err
	}
	fi, err := root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !fi.IsDir() {
		if fi.Mode()&fs.ModeSymlink != 0 {
			x.at.void = true
		}
		delete(x.result.Digests, "/"+p)
		return root.Remove(name)
	}
	x.at.void = true
	if len(x.result.Digests) > 0 {
		if err := x.forget(p); err != nil {
			return err
		}
	}
	return root.RemoveAll(name)
}

// forget forgets the modules in a folder. It walks the folder, not all modules
// that are known: so all removals together take time in what was made.
func (x *extractor) forget(p string) error {
	return fs.WalkDir(x.root.FS(), p, func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			delete(x.result.Digests, "/"+name)
		}
		return err
	})
}

// whiteout takes away what lower layers had.
func (x *extractor) whiteout(dir, base string) error {
	switch {
	case base == opaque:
		return x.clear(dir)
	case strings.HasPrefix(base, metadata):
		return nil
	}
	name := strings.TrimPrefix(base, whiteout)
	if name == "" || name == "." || name == ".." {
		return fmt.Errorf("the whiteout names nothing: %w", errdefs.ErrInvalidArgument)
	}
	if p := path.Join(dir, name); !x.own[p] {
		return x.remove(p)
	}
	return nil
}

// clear empties a folder of everything that the current layer did not make.
// Once is enough: what comes later is of this layer.
func (x *extractor) clear(dir string) error {
	if x.cleared[dir] {
		return nil
	}
	x.cleared[dir] = true
	root, name, err := x.near(dir)
	if err != nil {
		return err
	}
	f, err := root.Open(name)
	if err != nil {
		return err
	}
	names, err := f.Readdirnames(-1)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	for _, n := range names {
		p := path.Join(dir, n)
		if !x.own[p] && !x.below[p] {
			if err := x.remove(p); err != nil {
				return err
			}
			continue
		}
		// A folder may hold both what this layer made and older things.
		root, name, err := x.near(p)
		if err != nil {
			return err
		}
		if fi, err := root.Lstat(name); err == nil && fi.IsDir() {
			if err := x.clear(p); err != nil {
				return err
			}
		}
	}
	return nil
}

// folder makes a folder, or keeps the one that is there.
func (x *extractor) folder(p string, h *tar.Header) error {
	root, name, err := x.near(p)
	if err != nil {
		return err
	}
	fi, err := root.Lstat(name)
	if err == nil && !fi.IsDir() {
		if err = x.remove(p); err == nil {
			err = fs.ErrNotExist
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = root.Mkdir(name, 0o755)
	}
	if err != nil {
		return err
	}
	x.times = append(x.times, dirTime{p, modTime(h)})
	// The owner must be able to look in, or nobody could unpack or remove it.
	return root.Chmod(name, fs.FileMode(h.Mode)&0o777|0o700)
}

// file writes a regular file.
func (x *extractor) file(p string, h *tar.Header, r io.Reader) error {
	if h.Size < 0 || h.Size > x.limits.Bytes-x.result.Size {
		return fmt.Errorf("%w: files of more than %d bytes", ErrLimit, x.limits.Bytes)
	}
	if err := x.remove(p); err != nil {
		return err
	}
	root, name, err := x.near(p)
	if err != nil {
		return err
	}
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	d, err := writeModule(f, &growing{x, r}, p)
	if err == nil {
		err = f.Chmod(fs.FileMode(h.Mode)&0o777 | 0o600)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	x.result.Size += h.Size
	if d != "" {
		x.result.Digests["/"+p] = d
	}
	t := modTime(h)
	return root.Chtimes(name, t, t)
}

// growing reads a file's content and holds its size against the layer's. The
// archive's own reader makes the holes of sparse files, which take no byte
// there.
type growing struct {
	x *extractor
	r io.Reader
}

// Read implements io.Reader.
func (g *growing) Read(p []byte) (int, error) {
	n, err := g.r.Read(p)
	g.x.grown += int64(n)
	if e := g.x.ratio(g.x.grown); e != nil {
		return n, e
	}
	return n, err
}

// writeModule writes a file and answers its digest if it is a module.
func writeModule(w io.Writer, r io.Reader, name string) (digest.Digest, error) {
	head := make([]byte, 4)
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return "", damaged(err)
	}
	all := io.MultiReader(bytes.NewReader(head[:n]), r)
	if string(head[:n]) != "\x00asm" && !strings.HasSuffix(name, ".wasm") && !strings.HasSuffix(name, ".wat") {
		_, err := io.Copy(w, all)
		return "", damagedCopy(err)
	}
	hash := digest.Canonical.Digester()
	if _, err := io.Copy(io.MultiWriter(w, hash.Hash()), all); err != nil {
		return "", damagedCopy(err)
	}
	return hash.Digest(), nil
}

func damagedCopy(err error) error {
	if err == nil {
		return nil
	}
	return damaged(err)
}

// symlink writes a link; its body is the image's own affair.
func (x *extractor) symlink(p string, h *tar.Header) error {
	if h.Linkname == "" || len(h.Linkname) > maxPath {
		return fmt.Errorf("the link leads nowhere: %w", errdefs.ErrInvalidArgument)
	}
	if err := x.remove(p); err != nil {
		return err
	}
	root, name, err := x.near(p)
	if err != nil {
		return err
	}
	return root.Symlink(h.Linkname, name)
}

// hardlink gives a file of the image, and nothing else, another name.
func (x *extractor) hardlink(p string, h *tar.Header) error {
	name, err := relative(h.Linkname)
	if err != nil {
		return fmt.Errorf("a hard link to %q: %w", shorten(h.Linkname), err)
	}
	dir, err := x.parent(path.Dir(name))
	if err != nil {
		return err
	}
	old := path.Join(dir, path.Base(name))
	root, base, err := x.near(old)
	if err != nil {
		return err
	}
	fi, err := root.Lstat(base)
	if err != nil {
		return fmt.Errorf("a hard link to %q, which is not there: %w", shorten(h.Linkname), errdefs.ErrInvalidArgument)
	}
	if old == p {
		return nil
	}
	if fi.Mode()&fs.ModeSymlink != 0 {
		target, err := root.Readlink(base)
		if err != nil {
			return err
		}
		return x.symlink(p, &tar.Header{Linkname: target})
	}
	if !fi.Mode().IsRegular() {
		return fmt.Errorf("a hard link to %q, which is not a file: %w", shorten(h.Linkname), errdefs.ErrInvalidArgument)
	}
	if err := x.remove(p); err != nil {
		return err
	}
	if d, ok := x.result.Digests["/"+old]; ok {
		x.result.Digests["/"+p] = d
	}
	if err := errors.Join(x.look(old), x.look(p)); err != nil {
		return err
	}
	return x.root.Link(old, p)
}

// modTime is an entry's time, within what file systems can hold.
func modTime(h *tar.Header) time.Time {
	t := h.ModTime
	if t.Before(time.Unix(0, 0)) || t.After(time.Unix(1<<33, 0)) {
		return time.Unix(0, 0)
	}
	return t
}
