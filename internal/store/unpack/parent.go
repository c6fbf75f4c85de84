package unpack

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/containerd/errdefs"
)

// place is a folder of the image that is kept open: os.Root opens every folder
// on the way for each operation, so a path of 2,000 folders would cost 2,000
// times as much as one.
type place struct {
	// asked is the folder's name in the archive, found where links led to.
	asked, found string
	root         *os.Root // nil before the first
	// void tells that a folder or link was taken away, which may be on the way.
	void bool
}

// leave closes the place.
func (x *extractor) leave() {
	if x.at.root != nil {
		x.at.root.Close()
	}
	x.at = place{}
}

// look counts the lookup of a path, whose parts are looked up one by one.
func (x *extractor) look(p string) error {
	if x.steps += int64(strings.Count(p, "/")) + 1; x.steps > x.limits.Steps {
		return fmt.Errorf("%w: paths so deep, or through so many links, that more than %d folders are looked up", ErrLimit, x.limits.Steps)
	}
	return nil
}

// near gives the shortest way to p: from the place, if it is there, or from the
// top.
func (x *extractor) near(p string) (*os.Root, string, error) {
	if x.at.root != nil && !x.at.void && path.Dir(p) == x.at.found {
		name := path.Base(p)
		return x.at.root, name, x.look(name)
	}
	return x.root, p, x.look(p)
}

// parent finds the folder that an entry goes into, and makes what is missing.
// Links on the way, absolute ones too, lead where they would inside the image.
func (x *extractor) parent(dir string) (string, error) {
	// An archive names what is in one folder one after the other.
	if x.at.root != nil && !x.at.void && x.at.asked == dir {
		return x.at.found, nil
	}
	x.leave()
	w := &walk{x: x, at: "."}
	defer w.close()
	if err := w.to(dir); err != nil {
		return "", err
	}
	here, err := w.here()
	if err != nil {
		return "", err
	}
	w.root = nil
	x.at = place{asked: dir, found: w.at, root: here}
	return w.at, nil
}

// walk goes from folder to folder.
type walk struct {
	x    *extractor
	at   string   // where it is
	root *os.Root // the folder at, if it is open
}

func (w *walk) close() {
	if w.root != nil {
		w.root.Close()
		w.root = nil
	}
}

// here opens the folder where the walk is.
func (w *walk) here() (*os.Root, error) {
	if w.root == nil {
		if err := w.x.look(w.at); err != nil {
			return nil, err
		}
		root, err := w.x.root.OpenRoot(w.at)
		if err != nil {
			return nil, err
		}
		w.root = root
	}
	return w.root, nil
}

// to goes where a path leads.
func (w *walk) to(dir string) error {
	todo := strings.Split(dir, "/")
	for links := 0; len(todo) > 0; {
		name := todo[0]
		todo = todo[1:]
		switch name {
		case "", ".":
			continue
		case "..":
			w.close()
			w.at = path.Dir(w.at)
			continue
		}
		next := path.Join(w.at, name)
		if len(next) > maxPath {
			return fmt.Errorf("the path has more than %d bytes where its links lead: %w", maxPath, errdefs.ErrInvalidArgument)
		}
		target, err := w.step(name)
		if err != nil {
			return err
		}
		if target == "" {
			w.at = next
			continue
		}
		if links++; links > maxLinks {
			return fmt.Errorf("too many levels of symbolic links: %w", errdefs.ErrInvalidArgument)
		}
		if path.IsAbs(target) {
			w.close()
			w.at = "."
		}
		todo = append(strings.Split(target, "/"), todo...)
	}
	return nil
}

// step goes into a folder, which it makes where nothing is, or answers where
// the link of that name leads.
func (w *walk) step(name string) (target string, err error) {
	here, err := w.here()
	if err != nil {
		return "", err
	}
	if err := w.x.look(name); err != nil {
		return "", err
	}
	fi, err := here.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := w.x.count(); err != nil {
			return "", err
		}
		if err := here.Mkdir(name, 0o755); err != nil {
			return "", err
		}
		if err := here.Chmod(name, 0o755); err != nil {
			return "", err
		}
	case err != nil:
		return "", err
	case fi.Mode()&fs.ModeSymlink != 0:
		return here.Readlink(name)
	case !fi.IsDir():
		return "", fmt.Errorf("%s is a file, not a folder: %w", shorten(path.Join(w.at, name)), errdefs.ErrInvalidArgument)
	}
	into, err := here.OpenRoot(name)
	if err != nil {
		return "", err
	}
	w.close()
	w.root = into
	return "", nil
}
