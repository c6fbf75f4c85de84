//go:build linux

package tree

import (
	"strings"

	"golang.org/x/sys/unix"
)

// place in the tree that a path of the Config stands for.
type location struct {
	path    []string // components from the root, without links
	e       entry    // what is there, absent if nothing
	overlay bool     // in the joined root, not in a mount
}

// canonical follows the links of an absolute path of the Config inside the
// tree as far as it has been built. What does not exist keeps its name.
func (t *Tree) canonical(p string) (l location, err error) {
	cur := t.root.retain()
	defer func() { cur.release() }()
	move := func(to *folder) { cur.release(); cur = to }
	stack := push(nil, p, true)
	var missing []string // below cur, in no layer
	l.e = entry{at: inUpper, st: unix.Stat_t{Mode: unix.S_IFDIR}}
	for links := 0; len(stack) > 0; {
		name := stack[len(stack)-1].name
		stack = stack[:len(stack)-1]
		switch {
		case name == ".":
			continue
		case name == ".." && len(missing) > 0:
			missing = missing[:len(missing)-1]
			continue
		case name == "..":
			if cur.parent != nil {
				move(cur.parent.retain())
			}
			continue
		case len(name) > nameMax:
			return l, invalid("a name in it is longer than %d bytes", nameMax)
		case len(missing) > 0:
			missing = append(missing, name)
			continue
		}
		e, err := cur.lookup(name)
		if err != nil {
			return l, err
		}
		switch {
		case e.at == absent:
			missing = append(missing, name)
		case e.kind() == unix.S_IFLNK:
			if links++; links > maxLinks {
				return l, unix.ELOOP
			}
			body, err := cur.readlink(name, &e)
			if err != nil {
				return l, err
			}
			if strings.HasPrefix(body, "/") {
				move(t.root.retain())
			}
			stack = push(stack, body, true)
		case e.isDir():
			next, err := cur.child(name, &e)
			if err != nil {
				return l, err
			}
			move(next)
		case len(stack) > 0:
			return l, invalid("the image has a file at %q on the way", name)
		default:
			l.path, l.e, l.overlay = append(cur.path(), name), e, cur.mnt.overlay
			return l, nil
		}
	}
	l.path, l.overlay = append(cur.path(), missing...), cur.mnt.overlay
	if len(missing) > 0 {
		l.e = entry{}
	}
	return l, nil
}

// path is where the folder is in the tree.
func (f *folder) path() []string {
	if f.parent == nil {
		return nil
	}
	return append(f.parent.path(), f.name)
}
