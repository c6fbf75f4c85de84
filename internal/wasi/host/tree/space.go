//go:build linux

package tree

import (
	"golang.org/x/sys/unix"
)

// space bounds a scratch folder that stands in for a tmpfs. Files are written
// by their raw descriptors, so they ask for room beforehand (File.Room), and
// the folder is counted again when it seems full.
type space struct {
	dir   int // O_PATH of the scratch folder; the mount's descriptor
	limit int64
	used  int64
	open  map[*File]struct{} // files that may have lost their names
}

// page is what the smallest file and each name is charged, as in tmpfs.
const page = 4096

func pages(size int64) int64 { return (size + page - 1) / page * page }

// take asks for n new names.
func (s *space) take(n int64) error {
	if s == nil {
		return nil
	}
	return s.reserve(n * page)
}

// grow asks for room for a file that is to reach end.
func (s *space) grow(fd int, end int64) error {
	st, err := fstat(fd)
	if err != nil || end <= st.Size {
		return err
	}
	if end > s.limit {
		return unix.ENOSPC
	}
	return s.reserve(pages(end) - pages(st.Size))
}

func (s *space) reserve(n int64) error {
	if s.used+n > s.limit {
		used, err := usage(s.dir)
		if err != nil {
			return err
		}
		for f := range s.open {
			if st, err := fstat(f.fd); err == nil && st.Nlink == 0 {
				used += pages(st.Size)
			}
		}
		s.used = used
	}
	if s.used+n > s.limit {
		return unix.ENOSPC
	}
	s.used += n
	return nil
}

// usage counts what lies below a folder. A file with several names counts for
// each, which errs on the side of the bound.
func usage(dir int) (int64, error) {
	list, err := readDir(dir)
	if err != nil {
		return 0, err
	}
	var sum int64
	for _, d := range list {
		st, err := fstatat(dir, d.name)
		if err == unix.ENOENT {
			continue
		}
		if err != nil {
			return 0, err
		}
		sum += page
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFREG:
			sum += pages(st.Size)
		case unix.S_IFDIR:
			fd, err := openPath(dir, d.name, unix.O_DIRECTORY)
			if err != nil {
				return 0, err
			}
			n, err := usage(fd)
			unix.Close(fd)
			if err != nil {
				return 0, err
			}
			sum += n
		}
	}
	return sum, nil
}
