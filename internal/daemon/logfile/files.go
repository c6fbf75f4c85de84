package logfile

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
)

// maxFiles bounds the search for rotated files.
const maxFiles = 1000

// open opens the log and its rotated files, oldest first. A rotation between
// two opens would show a file twice or not at all; so the newest is looked at
// again, and the opening is repeated when it is another by then.
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
	for n := range maxFiles {
		f, err := os.Open(rotated(path, n))
		if errors.Is(err, fs.ErrNotExist) {
			if n == 0 {
				// Between a rotation's rename and the next line, or never
				// written: there may be older ones all the same.
				continue
			}
			break
		}
		if err != nil {
			return files, err
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

// successor opens the file that was begun after f, or gives nil where f is the
// newest. ok is false where f itself was rotated out of existence: then the
// oldest there is comes next.
func successor(f *os.File, path string) (next *os.File, ok bool, err error) {
	then, err := f.Stat()
	if err != nil {
		return nil, false, err
	}
	for n := range maxFiles {
		now, err := os.Stat(rotated(path, n))
		if errors.Is(err, fs.ErrNotExist) {
			if n == 0 {
				continue
			}
			// f is none of them.
			if n == 1 {
				return nil, true, nil
			}
			next, err = os.Open(rotated(path, n-1))
			return next, false, ignoreMissing(err)
		}
		if err != nil {
			return nil, false, err
		}
		if os.SameFile(now, then) {
			if n == 0 {
				return nil, true, nil
			}
			next, err = os.Open(rotated(path, n-1))
			return next, true, ignoreMissing(err)
		}
	}
	return nil, true, nil
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
