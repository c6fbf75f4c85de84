//go:build linux

package tree

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

const (
	pathMax  = 4095 // bytes of a path or link body, as PATH_MAX without its NUL
	maxLinks = 40   // links followed in one path, as Linux does (path_resolution(7))
	maxTries = 64   // walks begun anew because something was swapped under them
)

// comp is one component of a path being walked. link says that it came from a
// link's body, which may climb; the guest's own text may not.
type comp struct {
	name string
	link bool
}

// found is where a path leads: an entry of a folder, or a folder itself (name
// is empty then). The folder is retained.
type found struct {
	f     *folder
	name  string
	e     entry
	slash bool // written with a trailing slash: it must be a folder
	dot   string
}

// how a walk treats a link in the last component.
type following int

const (
	never    following = iota // not even with a trailing slash: creating, removing, renaming
	nofollow                  // a trailing slash follows, as in open(2) with O_NOFOLLOW
	follow
)

func followIf(yes bool) following {
	if yes {
		return follow
	}
	return nofollow
}

// shortcut tries to do a walk's work at one blow: rel lies in a single layer
// below fd. It answers EXDEV, ELOOP, EAGAIN or ENOSYS to leave it to the walk.
type shortcut struct {
	write bool // it may change what it finds
	do    func(f *folder, fd int, rel string, resolve uint64) error
}

// checkPath refuses what a guest may not write.
func checkPath(path string) error {
	if err := checkText(path); err != nil {
		return err
	}
	if path[0] == '/' {
		return ErrNotCapable
	}
	return nil
}

// checkText refuses what is no path or link body at all.
func checkText(path string) error {
	switch {
	case path == "":
		return unix.ENOENT
	case len(path) > pathMax:
		return unix.ENAMETOOLONG
	case strings.IndexByte(path, 0) >= 0:
		return unix.EINVAL
	case !utf8.ValidString(path):
		return unix.EILSEQ
	}
	return nil
}

// push puts a path's components on a stack of what is left to walk.
func push(stack []comp, path string, link bool) []comp {
	for end := len(path); end >= 0; {
		i := strings.LastIndexByte(path[:end], '/')
		if name := path[i+1 : end]; name != "" {
			stack = append(stack, comp{name, link})
		}
		end = i
	}
	return stack
}

// walk finds path below start. done is true when the shortcut did all there
// was to do. Where something is swapped under the walk, it begins anew.
func (t *Tree) walk(start *folder, path string, how following, fast *shortcut) (r found, done bool, err error) {
	if err := checkPath(path); err != nil {
		return r, false, err
	}
	for range maxTries {
		r, done, err = t.walkOnce(start, path, how, fast)
		if err != unix.EAGAIN {
			return r, done, err
		}
		fast = nil
	}
	return r, false, unix.EBUSY
}

func (t *Tree) walkOnce(start *folder, path string, how following, fast *shortcut) (r found, done bool, err error) {
	cur := start.retain()
	defer func() { cur.release() }()
	move := func(to *folder) { cur.release(); cur = to }

	stack := push(make([]comp, 0, 16), path, false)
	r.slash = strings.HasSuffix(path, "/")
	links, tried := 0, false
	for len(stack) > 0 {
		if fast != nil && !tried && !r.slash {
			if fd, resolve, ok := cur.single(stack, fast.write); ok {
				tried = true
				err := fast.do(cur, fd, join(stack), resolve)
				if err != unix.EXDEV && err != unix.ELOOP && err != unix.EAGAIN && err != unix.ENOSYS {
					return r, true, err
				}
			}
		}
		c := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		last := len(stack) == 0
		r.dot = ""
		switch c.name {
		case ".":
			r.dot = "."
			continue
		case "..":
			r.dot = ".."
			if !c.link && sameFolder(cur, start) {
				return r, false, ErrNotCapable
			}
			if cur.parent != nil {
				move(cur.parent.retain())
			}
			continue
		}
		e, err := cur.lookup(c.name)
		if err != nil {
			return r, false, err
		}
		if e.kind() == unix.S_IFLNK && e.at != absent && (!last || how == follow || r.slash && how == nofollow) {
			if links++; links > maxLinks {
				return r, false, unix.ELOOP
			}
			body, err := cur.readlink(c.name, &e)
			if err != nil {
				return r, false, err
			}
			if strings.HasPrefix(body, "/") {
				move(t.root.retain())
			}
			if last && strings.HasSuffix(body, "/") {
				r.slash = true
			}
			stack, tried = push(stack, body, true), false
			continue
		}
		if last {
			r.f, r.name, r.e = cur.retain(), c.name, e
			return r, false, nil
		}
		if e.at == absent {
			return r, false, unix.ENOENT
		}
		if !e.isDir() {
			return r, false, unix.ENOTDIR
		}
		next, err := cur.child(c.name, &e)
		if err != nil {
			return r, false, err
		}
		move(next)
	}
	r.f = cur.retain()
	return r, false, nil
}

// sameFolder compares by place: folders of mounts are not shared, so that two
// walks to one place give two of them.
func sameFolder(a, b *folder) bool {
	for a != b {
		if a == nil || b == nil || a.name != b.name {
			return false
		}
		a, b = a.parent, b.parent
	}
	return true
}

// single says whether what is left of a path lies in one layer below f, and
// with which folder and rules openat2 may look it up there.
func (f *folder) single(stack []comp, write bool) (fd int, resolve uint64, ok bool) {
	n := 0
	for _, c := range stack {
		if n += len(c.name) + 1; c.name == ".." || c.name == "." || n > pathMax {
			return -1, 0, false
		}
	}
	f.refresh()
	if write && (f.mnt.ro || f.upper < 0) {
		return -1, 0, false
	}
	if f.g == nil && f.white < 0 && (f.upper < 0) != (f.lower < 0) {
		return f.top(), beneath, true
	}
	// Several layers meet here, but perhaps not below the next name. Links may
	// lead back to where they meet, so none is followed.
	first := stack[len(stack)-1].name
	if f.g.child(first) != nil || f.top() < 0 {
		return -1, 0, false
	}
	if f.upper >= 0 && f.lower >= 0 {
		if _, err := fstatat(f.upper, first); err != unix.ENOENT || write || f.masked(first) {
			return -1, 0, false
		}
		return f.lower, beneath | unix.RESOLVE_NO_SYMLINKS, true
	}
	return f.top(), beneath | unix.RESOLVE_NO_SYMLINKS, true
}

func join(stack []comp) string {
	if len(stack) == 1 {
		return stack[0].name
	}
	var b strings.Builder
	for i := len(stack) - 1; i >= 0; i-- {
		b.WriteString(stack[i].name)
		if i > 0 {
			b.WriteByte('/')
		}
	}
	return b.String()
}

// readlink reads a link that lookup found.
func (f *folder) readlink(name string, e *entry) (string, error) {
	dir, _ := f.side(e)
	if e.at == inMount {
		return "", unix.EINVAL // New followed the source's links; only a swap makes one
	}
	body, err := readlinkat(dir, name)
	if err == unix.EINVAL || err == unix.ENOENT {
		return "", unix.EAGAIN // replaced meanwhile
	}
	if err == nil && body == "" {
		err = unix.ENOENT
	}
	return body, err
}
