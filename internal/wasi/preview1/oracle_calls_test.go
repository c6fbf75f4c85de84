//go:build cgo && linux && (amd64 || arm64)

package preview1

import (
	"encoding/binary"
	"fmt"

	"wherry/internal/wasi/host/tree"
)

// paths opens and looks at odd paths.
func (ws *worlds) paths() {
	odd := append([]string{"..", "d/..", "d/../..", "/", "/f", "a\x00b", "\xff"}, kernelPaths...)
	for _, p := range odd {
		for follow := range uint64(3) {
			ws.compare("path_filestat_get", fmt.Sprint(brief(p), " follow ", follow), func(w *world) (errno, string) {
				ptr, n := w.text(p)
				at := w.room(64)
				e := w.call("path_filestat_get", 3, follow, ptr, n, at)
				return e, w.filestat(at)
			})
		}
		for oflags := range uint64(16) {
			for follow := range uint64(2) {
				for _, rights := range []uint64{rightFdRead, readWrite} {
					if ws.compare("path_open", fmt.Sprint(brief(p), " follow ", follow, " oflags ", oflags, " rights ", rights), func(w *world) (errno, string) {
						ptr, n := w.text(p)
						fd, at := w.room(4), w.room(64)
						if e := w.call("path_open", 3, follow, ptr, n, oflags, rights, 0, 0, fd); e != ok {
							return e, ""
						}
						e := w.call("fd_filestat_get", w.u32(fd), at)
						return e, fmt.Sprint(w.u32(fd), w.filestat(at))
					}) {
						ws.reset()
					}
				}
			}
		}
	}
}

// filestat is what is alike of a filestat in all worlds.
func (w *world) filestat(at uint64) string {
	kind, size := w.mem[at+16], w.u64(at+32)
	if tree.FileType(kind) == tree.TypeDirectory {
		size = 0
	}
	return fmt.Sprint(" type ", kind, " size ", size)
}

// act is something done to a descriptor.
type act struct {
	call, what string
	changes    bool // what the next act would see
	do         func(w *world, fd uint64) (errno, string)
}

func acts() (list []act) {
	plain := func(name string, changes bool, rest ...uint64) {
		list = append(list, act{name, fmt.Sprint(rest), changes, func(w *world, fd uint64) (errno, string) {
			return w.call(name, append([]uint64{fd}, rest...)...), ""
		}})
	}
	for _, offset := range []uint64{0, 5, 100, 1<<62 + 1, 1<<63 - 1, 1 << 63, 1<<64 - 1} {
		for _, size := range []uint64{0, 5, 1<<62 + 1, 1 << 63} {
			if offset|size != 0 && offset|size < 1<<62 || (offset|size)>>63 != 0 {
				plain("fd_allocate", true, offset, size)
			}
			for advice := range uint64(7) {
				plain("fd_advise", false, offset, size, advice)
			}
		}
		plain("fd_filestat_set_size", true, offset)
		for whence := range uint64(4) {
			for _, o := range []uint64{offset, -offset} {
				list = append(list, act{"fd_seek", fmt.Sprint(int64(o), " whence ", whence), false, func(w *world, fd uint64) (errno, string) {
					at := w.room(8)
					e := w.call("fd_seek", fd, o, whence, at)
					return e, fmt.Sprint(w.u64(at))
				}})
			}
		}
		for _, n := range []uint64{0, 1} {
			for _, name := range []string{"fd_pread", "fd_pwrite"} {
				list = append(list, act{name, fmt.Sprint(n, " buffers at ", offset), name == "fd_pwrite", func(w *world, fd uint64) (errno, string) {
					b, at := w.put([]byte("abcdefgh")), w.room(4)
					e := w.call(name, fd, w.words(b, 4), n, offset, at)
					return e, fmt.Sprintf("%d %q", w.u32(at), w.mem[b:b+8])
				}})
			}
		}
	}
	plain("fd_sync", false)
	plain("fd_datasync", false)
	for _, flags := range []uint64{0, 1, 2, 4, 5, 8, 16, 31, 32} {
		plain("fd_fdstat_set_flags", false, flags)
	}
	plain("fd_fdstat_set_rights", false, 0, 0)
	plain("fd_fdstat_set_rights", false, 1<<64-1, 0)
	for flags := range uint64(16) {
		plain("fd_filestat_set_times", false, 1e18, 2e18, flags)
	}
	plain("fd_filestat_set_times", false, 1<<63, 1<<63, 5)
	for _, v := range [][]uint64{{2048, 4}, {65530, 10}, {0xfffffffe, 4}, {0xffffffff, 0}, {0, 0xffffffff}, {65532, 4}} {
		what := fmt.Sprintf("%d bytes at %#x", v[1], v[0])
		for _, name := range []string{"fd_read", "fd_write"} {
			list = append(list, act{name, what, true, func(w *world, fd uint64) (errno, string) {
				copy(w.mem[v[0]&0xffff:], "abcd")
				at := w.room(4)
				e := w.call(name, fd, w.words(v...), 1, at)
				return e, fmt.Sprint(w.u32(at))
			}}, act{name, what + ", result outside", true, func(w *world, fd uint64) (errno, string) {
				return w.call(name, fd, w.words(v...), 1, 65534), ""
			}})
		}
	}
	for _, to := range []uint64{0, 3, 4, 99, 1 << 31} {
		plain("fd_renumber", true, to)
	}
	list = append(list, act{"fd_prestat_get", "", false, func(w *world, fd uint64) (errno, string) {
		at := w.room(8)
		e := w.call("fd_prestat_get", fd, at)
		return e, fmt.Sprint(w.u64(at))
	}}, act{"fd_readdir", "", false, func(w *world, fd uint64) (errno, string) {
		at := w.room(4)
		e := w.call("fd_readdir", fd, w.room(4096), 4096, 0, at)
		return e, fmt.Sprint(w.u32(at))
	}}, act{"path_open", "a file on it", false, func(w *world, fd uint64) (errno, string) {
		p, n := w.text("f")
		return w.call("path_open", fd, 0, p, n, openCreat|openExcl, 0, 0, 0, 60000), ""
	}})
	for n := range uint64(4) {
		plain("fd_prestat_dir_name", false, 60000, n)
	}
	for kind := range uint64(3) {
		list = append(list, act{"poll_oneoff", fmt.Sprint("of kind ", kind), false, func(w *world, fd uint64) (errno, string) {
			sub := fdSub(7, byte(kind), uint32(fd))
			if kind == eventClock {
				sub = clockSub(7, 1, 1, 0)
			}
			out, at := w.room(eventSize), w.room(4)
			e := w.call("poll_oneoff", w.put(sub), out, 1, at)
			return e, fmt.Sprint(w.u32(at), w.u64(out), binary.LittleEndian.Uint16(w.mem[out+8:]), w.mem[out+10])
		}})
	}
	for how := range uint64(5) {
		plain("sock_shutdown", false, how)
	}
	plain("fd_close", true)
	return list
}

// descriptors does everything to a descriptor of every kind, and looks at the
// descriptor again afterwards.
func (ws *worlds) descriptors() {
	for _, k := range []struct {
		name, path            string
		oflags, rights, flags uint64
		position              uint64
	}{
		{name: "preopen"}, {name: "none"},
		{"folder", "d", openDirectory, rightFdReaddir, 0, 0},
		{"for reading", "f", 0, rightFdRead, 0, 0}, {"for writing", "f", 0, rightFdWrite, 0, 0},
		{"for both", "f", 0, readWrite, 0, 3}, {"for appending", "f", 0, readWrite, uint64(flagAppend), 4},
	} {
		for _, x := range acts() {
			changed := false
			ws.compare(x.call, k.name+" "+x.what, func(w *world) (errno, string) {
				fd := uint64(3)
				switch {
				case k.name == "none":
					fd = 99
				case k.path != "":
					p, n := w.text(k.path)
					at := w.room(4)
					if e := w.call("path_open", 3, 0, p, n, k.oflags, k.rights, 0, k.flags, at); e != ok {
						w.Fatalf("open %s: errno %d", k.path, e)
					}
					fd = w.u32(at)
					w.call("fd_seek", fd, k.position, 0, w.room(8))
				}
				e, detail := x.do(w, fd)
				if k.path == "f" && e == ok && x.call != "fd_fdstat_set_rights" {
					at := w.room(64)
					detail += fmt.Sprint(" tell ", w.call("fd_tell", fd, at), w.u64(at), " stat ", w.call("fd_filestat_get", fd, at), w.filestat(at))
					detail += fmt.Sprint(" flags ", w.call("fd_fdstat_get", fd, at), w.mem[at+2])
				}
				if k.path != "" && e != ok {
					w.call("fd_close", fd)
				}
				changed = changed || e == ok || e == trapped && x.changes
				return e, detail
			})
			if changed {
				ws.reset()
			}
		}
	}
}
