package files

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"sync/atomic"

	"github.com/containerd/errdefs"
)

// Spool is a folder for the content of files, which get numbers for names. Who
// made it removes it.
type Spool struct {
	dir  string
	next atomic.Uint64
}

// NewSpool uses dir, which must be there and empty.
func NewSpool(dir string) *Spool { return &Spool{dir: dir} }

// Path names a new place in the spool.
func (s *Spool) Path() string {
	return filepath.Join(s.dir, strconv.FormatUint(s.next.Add(1), 10))
}

// add keeps what r holds and answers its size and how to open it.
func (s *Spool) add(r io.Reader) (int64, func() (io.ReadCloser, error), error) {
	at := s.Path()
	f, err := os.OpenFile(at, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, nil, err
	}
	n, err := io.Copy(f, r)
	return n, func() (io.ReadCloser, error) { return os.Open(at) }, errors.Join(err, f.Close())
}

// maxEntries bounds the index that a hostile archive can make.
const maxEntries = 1 << 20

// ReadTar reads an archive into a tree. Special files are refused.
func ReadTar(ctx context.Context, r io.Reader, s *Spool) (*Tree, error) {
	t := New()
	tr := tar.NewReader(r)
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return t, nil
		}
		if err == nil {
			err = ctx.Err()
		}
		if err == nil && len(t.nodes) > maxEntries {
			err = fmt.Errorf("it has more than %d entries: %w", maxEntries, errdefs.ErrInvalidArgument)
		}
		if err == nil {
			err = t.addEntry(h, tr, s)
		}
		if err != nil {
			return nil, fmt.Errorf("reading the archive: %w", err)
		}
	}
}

func (t *Tree) addEntry(h *tar.Header, r io.Reader, s *Spool) error {
	if h.Typeflag == tar.TypeXGlobalHeader {
		return nil // of git archive; it says nothing about files
	}
	// A link among the parents is followed inside the tree, as when unpacking.
	dir, _, err := t.Resolve(path.Dir(Clean(h.Name)), true)
	if err != nil {
		return err
	}
	if _, err := t.MakeDirs(dir); err != nil {
		return err
	}
	p := path.Join(dir, path.Base("/"+Clean(h.Name)))
	if Clean(h.Name) == "" {
		p = ""
	}
	n := &Node{Mode: h.Mode & 0o7777, UID: h.Uid, GID: h.Gid}
	switch h.Typeflag {
	case tar.TypeReg:
		n.Type = File
		if n.Size, n.Open, err = s.add(r); err != nil {
			return err
		}
	case tar.TypeDir:
		n.Type = Dir
	case tar.TypeSymlink:
		n.Type, n.Target = Link, h.Linkname
	case tar.TypeLink:
		target, found, err := t.Resolve(h.Linkname, false)
		if err != nil {
			return err
		}
		if found == nil || found.Type == Dir {
			return fmt.Errorf("%s is a hard link to %s, which is no file before it: %w", h.Name, target, errdefs.ErrInvalidArgument)
		}
		n = found
	default:
		return fmt.Errorf("%s is a special file (tar type %q), and images hold files, folders and links: %w", h.Name, h.Typeflag, errdefs.ErrInvalidArgument)
	}
	if p == "" {
		if n.Type != Dir {
			return fmt.Errorf("the root is no folder: %w", errdefs.ErrInvalidArgument)
		}
		return nil
	}
	t.Replace(p, n)
	return nil
}
