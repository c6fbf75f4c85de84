package image

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Rootfs is a container's root filesystem as it lies on this machine.
type Rootfs struct {
	// Dir is the folder that holds the root; its content is not trusted.
	Dir string
	// Mounts lie over it. A later one hides an earlier one.
	Mounts []Mount
}

// Mount shows a file or folder of the machine inside the container.
type Mount struct {
	// Target is an absolute path in the container, Source one on the machine.
	Target, Source string
}

// maxLinks is how many symbolic links are followed on the way to a program, as
// in Linux.
const maxLinks = 40

// file is a program's file, found.
type file struct {
	path, host string
	info       fs.FileInfo
	// root and rel open it; a nil root means host itself is a mounted file.
	base, rel string
}

// find looks for a program as ResolveProgram says.
func (r Rootfs) find(name, cwd, search string) (file, error) {
	if cwd == "" {
		cwd = "/"
	}
	places := []string{path.Join("/", cwd, name)}
	if path.IsAbs(name) {
		places = []string{path.Clean(name)}
	} else if places = append(places, path.Join("/", name)); !strings.Contains(name, "/") {
		for _, dir := range filepath.SplitList(search) {
			if path.IsAbs(dir) {
				places = append(places, path.Join(dir, name))
			}
		}
	}
	for _, p := range places {
		f, err := r.walk(p)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return file{}, unusable(name, reason(err))
		}
	}
	if !strings.Contains(name, "/") {
		return file{}, missing(name, "no such file or directory: executable file not found in the image's / or $PATH")
	}
	return file{}, missing(name, fmt.Sprintf("stat %s: no such file or directory", places[0]))
}

func isMissing(err error) bool {
	var p *ProgramError
	return errors.As(err, &p) && p.Code == 127
}

// reason cuts an error to the system's words.
func reason(err error) string {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err.Error()
	}
	return err.Error()
}

// walk resolves an absolute container path, link by link. Each name is looked
// up below the root through os.Root, so that no race and no link leads out.
func (r Rootfs) walk(p string) (file, error) {
	todo := strings.Split(strings.Trim(p, "/"), "/")
	at := "/"
	links := 0
	var f file
	for len(todo) > 0 {
		name := todo[0]
		todo = todo[1:]
		switch name {
		case "", ".":
			continue
		case "..":
			at = path.Dir(at)
			continue
		}
		next := path.Join(at, name)
		var target string
		var err error
		if f, target, err = r.lookup(next); err != nil {
			return file{}, err
		}
		if target == "" {
			if len(todo) > 0 && !f.info.IsDir() {
				return file{}, fs.ErrNotExist
			}
			at = next
			continue
		}
		if links++; links > maxLinks {
			return file{}, errors.New("too many levels of symbolic links")
		}
		if path.IsAbs(target) {
			at = "/"
		}
		todo = append(strings.Split(target, "/"), todo...)
	}
	if at == "/" {
		return file{}, errors.New("is a directory")
	}
	// The last step may have been a "..": look again at where it ended.
	f, target, err := r.lookup(at)
	if err == nil && target != "" {
		err = errors.New("changed while it was looked up")
	}
	return f, err
}

// lookup finds one path whose parent holds no links, and the body of a link.
func (r Rootfs) lookup(p string) (file, string, error) {
	base, rel, mounted := r.Dir, strings.TrimPrefix(p, "/"), false
	for _, m := range r.Mounts {
		t := path.Clean(m.Target)
		if p == t || strings.HasPrefix(p, strings.TrimSuffix(t, "/")+"/") {
			base, rel, mounted = m.Source, strings.TrimPrefix(strings.TrimPrefix(p, t), "/"), true
		}
	}
	f := file{path: p, host: filepath.Join(base, filepath.FromSlash(rel)), base: base, rel: rel}
	if rel == "" && mounted {
		// The mount itself: its source is the user's choice, links and all.
		info, err := os.Stat(base)
		f.info = info
		return f, "", err
	}
	if base == "" {
		return f, "", fs.ErrNotExist
	}
	root, err := os.OpenRoot(base)
	if err != nil {
		return f, "", err
	}
	defer root.Close()
	if f.info, err = root.Lstat(filepath.FromSlash(rel)); err != nil {
		// A mount point deeper down need not exist in the root.
		if errors.Is(err, fs.ErrNotExist) && r.above(p) {
			f.info, err = os.Stat(r.Dir)
		}
		return f, "", err
	}
	if f.info.Mode()&fs.ModeSymlink == 0 {
		return f, "", nil
	}
	target, err := root.Readlink(filepath.FromSlash(rel))
	return f, filepath.ToSlash(target), err
}

// above reports whether a mount lies below p.
func (r Rootfs) above(p string) bool {
	for _, m := range r.Mounts {
		if strings.HasPrefix(path.Clean(m.Target), p+"/") {
			return true
		}
	}
	return false
}

// open opens the file for reading.
func (f file) open() (*os.File, error) {
	if f.rel == "" {
		return os.Open(f.base)
	}
	root, err := os.OpenRoot(f.base)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return root.Open(filepath.FromSlash(f.rel))
}

// check tells whether the file can be a program, and whether it is text.
func (f file) check(name string) (text bool, err error) {
	switch {
	case f.info.IsDir():
		return false, unusable(name, "is a directory")
	case !f.info.Mode().IsRegular():
		return false, unusable(name, "is not a regular file: permission denied")
	case f.info.Size() == 0:
		return false, unusable(name, "exec format error: the file is empty, not a WebAssembly module")
	}
	r, err := f.open()
	if err != nil {
		return false, unusable(name, reason(err))
	}
	defer r.Close()
	head := make([]byte, 8)
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false, unusable(name, reason(err))
	}
	switch head = head[:n]; {
	case strings.HasPrefix(string(head), "\x00asm"):
		return false, nil
	case strings.HasSuffix(f.path, ".wat") || strings.HasSuffix(name, ".wat"):
		return true, nil
	case strings.HasPrefix(string(head), "\x7fELF"):
		return false, unusable(name, "exec format error: it is a Linux program (ELF), not a WebAssembly module; Wherry runs wasi/wasm images")
	case strings.HasPrefix(string(head), "#!"):
		return false, unusable(name, "exec format error: it is a script, not a WebAssembly module")
	}
	return false, unusable(name, "exec format error: it is not a WebAssembly module")
}
