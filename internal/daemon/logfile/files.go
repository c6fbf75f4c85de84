package logfile

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
	"syscall"
)

// maxFiles bounds the search for rotated files.
const maxFiles = 1000

// A rotation renames the files one by one, the oldest first, so meanwhile one
// name is missing, and every file only ever moves to higher numbers. Whoever
// looks at the names from the lowest up therefore meets each file, some twice.

// open opens the log and its rotated files, oldest first. A log that was begun
// anew meanwhile is looked at again.
func open(path string) ([]*os.File, error) {
	for {
		files, err := openOnce(path)
		if err != nil {
			closeAll(files)
			return nil, err
		}
		if len(files) == 0 || same(files[len(files)-1], path) {
			return files, nil
		}
		closeAll(files)
	}
}

// openOnce opens newest first, and returns oldest first.
func openOnce(path string) ([]*os.File, error) {
	var files []*os.File
	missing := 0
	for n := 0; n < maxFiles && missing < 2; n++ {
		f, err := os.Open(rotated(path, n))
		if errors.Is(err, fs.ErrNotExist) {
			// Being renamed, or there are no more; the newest may also never
			// have been written, and there be older ones all the same.
			missing++
			continue
		}
		if err != nil {
			return files, err
		}
		missing = 0
		if len(files) > 0 && sameFile(files[0], f) {
			_ = f.Close() // it moved on while we looked
			continue
		}
		files = append([]*os.File{f}, files...)
	}
	return files, nil
}

// rotated is the name of the n-th file, 0 being the one that is written now.
func rotated(path string, n int) string {
	if n == 0 {
		return path
	}
	return path + "." + strconv.Itoa(n)
}

// same tells whether path is still the file f; a missing path counts as f, for
// there is nothing newer to read.
func same(f *os.File, path string) bool {
	now, err := os.Stat(path)
	if err != nil {
		return true
	}
	then, err := f.Stat()
	return err == nil && os.SameFile(now, then)
}

func sameFile(f, g *os.File) bool {
	a, err := f.Stat()
	if err != nil {
		return false
	}
	b, err := g.Stat()
	return err == nil && os.SameFile(a, b)
}

// successor opens the file that was begun after f, or gives nil where f is the
// newest, or the newest is not made yet. Where f itself was rotated out of
// existence the oldest there is comes next.
func successor(f *os.File, path string) (*os.File, error) {
	for {
		n, there, err := number(f, path)
		switch {
		case err != nil:
			return nil, err
		case !there:
			return oldest(path)
		case n == 0:
			return nil, nil
		}
		next, err := os.Open(rotated(path, n-1))
		if err != nil {
			return nil, ignoreMissing(err)
		}
		// Files move from the oldest on: as long as f is where it was, the one
		// below it was so too.
		again, there, err := number(f, path)
		if err == nil && there && again == n {
			return next, nil
		}
		_ = next.Close()
		if err != nil {
			return nil, err
		}
	}
}

// number finds under which number f is now; there is false where it has no name
// any more.
func number(f *os.File, path string) (n int, there bool, err error) {
	then, err := f.Stat()
	if err != nil {
		return 0, false, err
	}
	if st, ok := then.Sys().(*syscall.Stat_t); ok && st.Nlink == 0 {
		return 0, false, nil
	}
	for n := range maxFiles {
		now, err := os.Stat(rotated(path, n))
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return 0, false, err
		case os.SameFile(now, then):
			return n, true, nil
		}
	}
	return 0, false, nil // removed meanwhile
}

// oldest opens the oldest file there is, nil if there is none.
func oldest(path string) (*os.File, error) {
	files, err := open(path)
	if err != nil || len(files) == 0 {
		return nil, err
	}
	closeAll(files[1:])
	return files[0], nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}
