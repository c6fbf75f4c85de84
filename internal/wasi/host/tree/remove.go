//go:build linux

package tree

import "golang.org/x/sys/unix"

// removeAll removes name in dir with all below it, following no link. What is
// not there is no error. It is for folders of the package's own making.
func removeAll(dir int, name string) error {
	err := unix.Unlinkat(dir, name, 0)
	if err == nil || err == unix.ENOENT {
		return nil
	}
	if err != unix.EISDIR && err != unix.EPERM {
		return err
	}
	fd, err := openPath(dir, name, unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	list, err := readDir(fd)
	if err == unix.EACCES { // a folder whose owner took its own rights away
		if err = unix.Fchmodat(dir, name, 0o700, 0); err == nil {
			list, err = readDir(fd)
		}
	}
	if err != nil {
		return err
	}
	for _, d := range list {
		if err := removeAll(fd, d.name); err != nil {
			return err
		}
	}
	return unix.Unlinkat(dir, name, unix.AT_REMOVEDIR)
}
