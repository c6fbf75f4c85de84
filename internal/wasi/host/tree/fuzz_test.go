//go:build linux

package tree

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// model is a tree as a table from canonical paths to "dir", "file" or "-> body".
// Its resolve is written from the rules alone, on strings.
type model map[string]string

// resolve returns the canonical path that path means from start.
func (m model) resolve(start, path string, follow bool) (string, error) {
	switch {
	case path == "":
		return "", unix.ENOENT
	case len(path) > 4095:
		return "", unix.ENAMETOOLONG
	case strings.Contains(path, "\x00"):
		return "", unix.EINVAL
	case !utf8.ValidString(path):
		return "", unix.EILSEQ
	case path[0] == '/':
		return "", ErrNotCapable
	}
	type step struct {
		name  string
		guest bool
	}
	split := func(p string, guest bool) (s []step) {
		for _, n := range strings.Split(p, "/") {
			if n != "" {
				s = append(s, step{n, guest})
			}
		}
		return s
	}
	cur, todo, links := start, split(path, true), 0
	folder := strings.HasSuffix(path, "/")
	for len(todo) > 0 {
		s := todo[0]
		todo = todo[1:]
		if m[cur] != "dir" {
			return "", unix.ENOTDIR
		}
		if s.name == "." {
			continue
		}
		if s.name == ".." {
			if s.guest && cur == start {
				return "", ErrNotCapable
			}
			cur = filepath.Dir(cur)
			continue
		}
		if len(s.name) > 255 {
			return "", unix.ENAMETOOLONG
		}
		next := filepath.Join(cur, s.name)
		kind, ok := m[next]
		if !ok {
			return "", unix.ENOENT
		}
		body, link := strings.CutPrefix(kind, "-> ")
		if !link || len(todo) == 0 && !follow && !folder {
			cur = next
			if len(todo) > 0 && m[cur] != "dir" {
				return "", unix.ENOTDIR
			}
			continue
		}
		if links++; links > 40 {
			return "", unix.ELOOP
		}
		if body[0] == '/' {
			cur = "/"
		}
		if len(todo) == 0 && strings.HasSuffix(body, "/") {
			folder = true
		}
		todo = append(split(body, false), todo...)
	}
	if folder && m[cur] != "dir" {
		return "", unix.ENOTDIR
	}
	return cur, nil
}

// FuzzResolve compares path resolution over all kinds of layers, by openat2
// and by the walk alone, with the model. The body is that of a link /app/fuzz.
func FuzzResolve(f *testing.F) {
	outside, mount := f.TempDir(), f.TempDir()
	build(f, outside, "secret")
	build(f, mount, "in", "sub/s", "up -> ../lib/a", "abs -> /app/x", "out -> "+outside+"/secret")
	e := newEnv(f, Config{
		Mounts:   []Mount{{Target: "/data", Source: mount}, {Target: "/lib/nested/m", Source: mount, ReadOnly: true}},
		Defaults: []DefaultFile{{Path: "/etc/hosts", Data: []byte("x")}},
	}, "app/x", "app/gone", "lib/a", "lib/l -> ../app", "lib/deep/er/y", "etc/own", "abs -> /lib", "climb -> ../../app/x",
		"loop -> loop", "replaced/z", "app/d -> ../data", "slash -> app/")
	e.write("lib/deep/new", "n")
	e.want(e.Unlink("app/gone"), nil, "unlink")
	e.want(e.Unlink("replaced/z"), nil, "unlink")
	e.want(e.Rmdir("replaced"), nil, "rmdir")
	e.want(e.Mkdir("replaced"), nil, "mkdir")
	m := model{"/": "dir", "/app": "dir", "/app/x": "file", "/lib": "dir", "/lib/a": "file", "/lib/l": "-> ../app", "/lib/deep": "dir",
		"/lib/deep/er": "dir", "/lib/deep/er/y": "file", "/lib/deep/new": "file", "/etc": "dir", "/etc/own": "file", "/etc/hosts": "file",
		"/abs": "-> /lib", "/climb": "-> ../../app/x", "/loop": "-> loop", "/replaced": "dir", "/app/d": "-> ../data", "/slash": "-> app/",
		"/lib/nested": "dir"}
	for _, at := range []string{"/data", "/lib/nested/m"} {
		for name, kind := range map[string]string{"": "dir", "/in": "file", "/sub": "dir", "/sub/s": "file", "/up": "-> ../lib/a",
			"/abs": "-> /app/x", "/out": "-> " + outside + "/secret"} {
			m[at+name] = kind
		}
	}
	starts := []string{"/", "/app", "/lib/deep", "/data/sub", "/data", "/lib/nested", "/replaced", "/etc"}
	for i, path := range []string{"app/x", "../x", "abs/a", "climb", "loop", "lib/l/d/sub/../in", "data/up", "data/abs", "data/out", "fuzz",
		"app/fuzz/../x", "lib/nested/m/up", "slash", "lib/deep/er/../new/", "a\x00", "\xff", "/", "replaced/z", "app/gone", "etc/hosts/", "./.", "slash/"} {
		f.Add(path, []string{"..", "/lib/", "../../lib/deep/er", "fuzz", "../data/up", "/", "./."}[i%7], byte(i), i%2 == 0)
	}
	f.Fuzz(func(t *testing.T, path, body string, at byte, follow bool) {
		e.t = t
		start := starts[int(at)%len(starts)]
		dir := e.Dir
		if start != "/" {
			dir = e.dir(start[1:])
			defer dir.Close()
		}
		delete(m, "/app/fuzz")
		if e.SymlinkAny(body, "app/fuzz") == nil {
			m["/app/fuzz"] = "-> " + body
			defer func() { e.want(e.Unlink("app/fuzz"), nil, "unlink") }()
		}
		want, wantErr := m.resolve(start, path, follow)
		for _, walk := range []bool{false, true} {
			was := noOpenat2.Swap(walk)
			st, err := dir.StatAt(path, follow)
			noOpenat2.Store(was)
			if !errors.Is(err, wantErr) || wantErr == nil && err != nil {
				t.Fatalf("%q from %s (fuzz -> %q, follow %v, walk %v): %v, want %q, %v", path, start, body, follow, walk, err, want, wantErr)
			}
			if err != nil {
				continue
			}
			wantType := map[byte]FileType{'d': TypeDirectory, 'f': TypeRegular, '-': TypeSymlink}[m[want][0]]
			is := Stat{}
			if want == "/" {
				is, err = e.Dir.Stat()
			} else {
				is, err = e.StatAt(want[1:], false)
			}
			if err != nil || is.Ino != st.Ino || is.Dev != st.Dev || st.Type != wantType {
				t.Fatalf("%q from %s (fuzz -> %q, follow %v, walk %v): got %+v, want %s %+v (%v)", path, start, body, follow, walk, st, want, is, err)
			}
		}
	})
	if _, err := os.Stat(outside); err != nil {
		f.Fatal(err)
	}
}
