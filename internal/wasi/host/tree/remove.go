//go:build linux

package tree

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Remove removes an upper level with all that a guest left in it, however deep
// it nested its folders. Nothing may have it open. What is not there is no
// error.
func Remove(upper string) error {
	fd, err := unix.Open(upper, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err == unix.ENOENT {
		return nil
	}
	if err == nil {
		err = clearFolder(fd, func(string) bool { return true })
		unix.Close(fd)
	}
	if err == nil {
		err = os.Remove(upper)
	}
	if err != nil {
		return fmt.Errorf("removing the upper level %s: %w", upper, err)
	}
	return nil
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
		if err := r.remove(fd, d.name, depth+1); err != nil {
			return err
		}
	}
	return unix.Unlinkat(dir, name, unix.AT_REMOVEDIR)
}
