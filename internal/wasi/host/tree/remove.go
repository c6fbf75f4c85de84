//go:build linux

package tree

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Remove removes a folder, such as an upper level or a volume, with all that a
// guest left in it, however deep it nested its folders: unlike os.RemoveAll it
// needs no descriptor for each level. Folders without their owner's rights go
// too. Nothing may have it open. A file is removed as well, and what is not
// there is no error.
func Remove(path string) error {
	err := removeFolder(path)
	if err == unix.EACCES {
		if err = os.Chmod(path, 0o700); err == nil {
			err = removeFolder(path)
		}
	}
	if err == nil || err == unix.ENOTDIR {
		err = os.Remove(path)
	}
	if err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("removing %s: %w", path, err)
	}
	return nil
}

// removeFolder empties a folder.
func removeFolder(path string) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return clearFolder(fd, func(string) bool { return true })
}

// clearFolder removes what a folder of the package's own holds, where it is
// asked to.
func clearFolder(dir int, wanted func(name string) bool) error {
	list, err := readDir(dir)
	for _, d := range list {
		if err == nil && wanted(d.name) {
			err = removeAll(dir, d.name)
		}
	}
	return err
}

// maxNesting is how deep a removal goes with a descriptor for each level. A
// guest can nest folders without end by moving them into each other.
const maxNesting = 100

// removeAll removes name in dir with all below it, following no link. What is
// not there is no error. It is for folders of the package's own making; while
// it runs, folders that were nested very deep lie beside name.
func removeAll(dir int, name string) error {
	r := remover{top: dir, base: name, todo: []string{name}}
	for len(r.todo) > 0 {
		last := len(r.todo) - 1
		next := r.todo[last]
		r.todo = r.todo[:last]
		if err := r.remove(dir, next, 0); err != nil {
			return err
		}
	}
	return nil
}

type remover struct {
	top  int
	base string
	n    int
	todo []string // in top
}

func (r *remover) remove(dir int, name string, depth int) error {
	err := unix.Unlinkat(dir, name, 0)
	if err == nil || err == unix.ENOENT {
		return nil
	}
	if err != unix.EISDIR && err != unix.EPERM {
		return err
	}
	if depth > maxNesting {
		r.n++
		up := r.base + "." + strconv.Itoa(r.n)
		_ = chmod(dir, name, 0o700) // to be moved it must be writable itself
		if err := unix.Renameat2(dir, name, r.top, up, unix.RENAME_NOREPLACE); err != nil {
			return err
		}
		r.todo = append(r.todo, up)
		return nil
	}
	fd, err := openPath(dir, name, unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	list, err := readDir(fd)
	if err == unix.EACCES { // a folder that came without its owner's rights
		if err = chmod(dir, name, 0o700); err == nil {
			list, err = readDir(fd)
		}
	}
	if err != nil {
		return err
	}
	for _, d := range list {
		err := r.remove(fd, d.name, depth+1)
		if err == unix.EACCES { // likewise, without the right to write
			if err = chmod(dir, name, 0o700); err == nil {
				err = r.remove(fd, d.name, depth+1)
			}
		}
		if err != nil {
			return err
		}
	}
	return unix.Unlinkat(dir, name, unix.AT_REMOVEDIR)
}
