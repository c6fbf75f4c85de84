//go:build linux

package hostile

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"wherry/internal/wasi/host/tree"
)

// canary begins every text that no guest may see. The secret behind it is new
// in each world.
const canary = "CANARY-"

// kind is what a node is.
type kind byte

const (
	file kind = iota
	folder
	link
	hardLink // body is the path of the other name
	fifo
	unixSocket
	device // body is "c MAJOR MINOR" or "b MAJOR MINOR"; made by root alone
)

// node is one thing in an image or a mount.
type node struct {
	path string
	kind kind
	body string
}

// world is what a guest is put in, and what lies outside of it.
type world struct {
	t testing.TB
	// base holds everything; outside lies beside image and mounts in it.
	base, outside, secret string
	before                string
}

// newWorld builds everything but the image's tree.
func newWorld(t testing.TB) *world {
	t.Helper()
	random := make([]byte, 16)
	rand.Read(random)
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, base: base, outside: filepath.Join(base, "outside"), secret: hex.EncodeToString(random)}
	w.build("outside", w.outsideNodes())
	w.build("m", mountNodes(w.outside))
	w.build("inner", texts("inner:", "file"))
	w.build("ro", append(texts("ro:", "file", "sub/file"), node{"empty", folder, ""}, node{"l-out", link, w.outside + "/secret"}, node{"pipe", fifo, ""}))
	w.build("single", []node{{"file", file, "single"}, {"ro", file, "single"}, {"race", file, "single"}, {"secret", file, canary + w.secret}})
	w.build(".", []node{{"plain", file, "plain"}})
	w.before = w.snapshot()
	return w
}

func (w *world) outsideNodes() []node {
	return []node{
		{"secret", file, canary + w.secret}, {"file", file, canary + w.secret}, {"sub/file", file, canary + w.secret},
		{canary + "name", file, canary + w.secret}, {"empty", folder, ""}, {"link", link, canary + w.secret}, {"pipe", fifo, ""},
	}
}

// texts are files that hold their own paths behind a prefix.
func texts(prefix string, paths ...string) []node {
	var list []node
	for _, p := range paths {
		list = append(list, node{p, file, prefix + p})
	}
	return list
}

func linkNodes(pairs ...string) []node {
	var list []node
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, node{pairs[i], link, pairs[i+1]})
	}
	return list
}

// imageNodes are the image's, whose links know where the outside is.
func imageNodes(outside string) []node {
	list := texts("image:", "etc/passwd", "file", "dir/nested/file", "lib/a", "app/x", "c41", "hard/a", "hard/c", "lk/file",
		"mv/a/b/file", "mask/file", "mask/dir/file", "mask/open", "white/file", "data/file", "r6/dir/file",
		"ünï", "Case", `back\slash`, "new\nline", "inval\xff", strings.Repeat("n", 255))
	list = append(list, node{"dir/empty", folder, ""}, node{"hard/b", hardLink, "hard/a"}, node{"hard/d", hardLink, "hard/c"},
		node{"pipe", fifo, ""}, node{"nodes/mem", device, "c 1 1"}, node{"nodes/disk", device, "b 7 200"})
	for i := range 41 {
		list = append(list, node{fmt.Sprintf("c%d", i), link, fmt.Sprintf("c%d", i+1)})
	}
	for i := range 6 {
		list = append(list, node{fmt.Sprintf("x%d", i), link, fmt.Sprintf("x%d/../x%d", i+1, i+1)})
	}
	return append(list, linkNodes(
		"l-abs", "/etc/passwd", "l-out", outside+"/secret", "l-outdir", outside, "l-new", outside+"/new",
		"l-climb", strings.Repeat("../", 30)+outside[1:]+"/secret",
		"l-near", "../outside/secret", "l-neardir", "../outside", "l-nearnew", "../outside/new",
		"dir/l-near", "../../outside/secret", "dir/l-over", "../../../../etc/passwd", "dir/back", "..",
		"app/up", "../lib/a", "app/rooted", "/lib/a",
		"l-proc", "/proc/self/mem", "l-procfd", "/proc/self/fd/0", "l-cwd", "/proc/self/cwd", "l-dev", "/dev/mem",
		"l-dangling", "nowhere", "l-self", ".", "l-root", "/", "l-slash", "dir/", "l-fileslash", "file/",
		"l-mount", "m/file", "l-mountabs", "/m/file", "l-mountout", "m/l-near", "etc/l-single", "secret",
		"l-long", strings.Repeat("./", 2045)+"file", "l-there", "m/l-back", "x6", ".", "loop", "loop", "ping", "pong", "pong", "ping",
		"o0", "o1", "o1", "/o2", "o2", "../outside/secret", "o-m", "m/l-neardir/secret", "mask/back", ".",
	)...)
}

// mountNodes are those of a mount of the user's, from which one step leads to
// the outside.
func mountNodes(outside string) []node {
	list := texts("mount:", "file", "sub/file", "sub/deep/file", "inner/hidden",
		"r1/swap/file", "r1/swap/sub/file", "r2/a/here", "r2/a/b/c/file", "r3/x/real/file", "r3/x/real/sub/file", "r4/thing")
	list = append(list, node{"empty", folder, ""}, node{"pipe", fifo, ""}, node{"sub/deep/pipe", fifo, ""}, node{"sock", unixSocket, ""},
		node{"nodes/mem", device, "c 1 1"}, node{"nodes/null", device, "c 1 3"}, node{"nodes/disk", device, "b 7 200"}, node{"nodes/tty", device, "c 5 0"})
	return append(list, linkNodes(
		"l-out", outside+"/secret", "l-outdir", outside, "l-new", outside+"/new",
		"l-near", "../outside/secret", "l-neardir", "../outside", "l-nearnew", "../outside/new", "sub/l-near", "../../outside/secret",
		"l-image", "/etc/passwd", "l-image2", "../etc/passwd", "l-proc", "/proc/self/mem", "l-inner", "inner/file",
		"l-pipe", "pipe", "l-sock", "sock", "loop", "loop", "l-back", "../l-there",
		"r1/link", "../../outside", "r3/x/l", "real",
	)...)
}

// build makes nodes in a folder below base.
func (w *world) build(name string, nodes []node) {
	w.t.Helper()
	dir := filepath.Join(w.base, name)
	for _, n := range nodes {
		if err := n.make(dir); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (n node) make(dir string) error {
	p := filepath.Join(dir, n.path)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		return err
	}
	switch n.kind {
	case folder:
		return os.MkdirAll(p, 0o755)
	case link:
		return os.Symlink(n.body, p)
	case hardLink:
		return os.Link(filepath.Join(dir, n.body), p)
	case fifo:
		return unix.Mkfifo(p, 0o666)
	case unixSocket:
		return unix.Mknod(p, unix.S_IFSOCK|0o666, 0)
	case device:
		if os.Geteuid() != 0 {
			return nil
		}
		typ, number, err := n.device()
		if err != nil {
			return err
		}
		return unix.Mknod(p, typ|0o666, number)
	}
	return os.WriteFile(p, []byte(n.body), 0o644)
}

func (n node) device() (typ uint32, number int, err error) {
	var letter rune
	var major, minor uint32
	if _, err := fmt.Sscanf(n.body, "%c %d %d", &letter, &major, &minor); err != nil {
		return 0, 0, err
	}
	typ = unix.S_IFCHR
	if letter == 'b' {
		typ = unix.S_IFBLK
	}
	return typ, int(unix.Mkdev(major, minor)), nil
}

// config is the guest's files on an image's tree below base.
func (w *world) config(image, upper string) tree.Config {
	at := func(name string) string { return filepath.Join(w.base, name) }
	return tree.Config{Root: at(image), Upper: at(upper), Mounts: []tree.Mount{
		{Target: "/m", Source: at("m")}, {Target: "/m/inner", Source: at("inner"), ReadOnly: true}, {Target: "/ro", Source: at("ro"), ReadOnly: true},
		{Target: "/etc/single", Source: at("single/file")}, {Target: "/etc/single-ro", Source: at("single/ro"), ReadOnly: true},
		{Target: "/etc/race", Source: at("single/race")},
		{Target: "/t", Tmpfs: true, Size: 1 << 20}, {Target: "/host", Source: "/"},
	}}
}

// arguments tell a guest where the outside would be.
func (w *world) arguments() []string { return []string{"outside=" + w.outside, "base=" + w.base} }

// check fails where anything outside is not as it was.
func (w *world) check() {
	w.t.Helper()
	if now := w.snapshot(); now != w.before {
		w.t.Errorf("the outside was changed; it was\n%s\nand is\n%s", w.before, now)
	}
}

// snapshot is everything about the outside that could be changed.
func (w *world) snapshot() string {
	w.t.Helper()
	var b strings.Builder
	show := func(p string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(p, &st); err != nil {
			return err
		}
		fmt.Fprintf(&b, "%s %o %d:%d %d bytes, %d names, %d, changed %v %v", p, st.Mode, st.Uid, st.Gid, st.Size, st.Nlink, st.Ino, st.Mtim, st.Ctim)
		if st.Mode&unix.S_IFMT == unix.S_IFREG {
			text, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, " %q", text)
		}
		b.WriteByte('\n')
		return nil
	}
	for _, p := range []string{w.outside, filepath.Join(w.base, "single/secret")} {
		if err := filepath.WalkDir(p, show); err != nil {
			w.t.Fatal(err)
		}
	}
	return b.String()
}
