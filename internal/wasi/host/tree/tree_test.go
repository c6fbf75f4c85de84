//go:build linux

package tree

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"wherry/internal/testutil/oldkernel"
)

// plainUID is an ordinary user that a root run of the tests becomes, so that
// both kinds of user are tested.
const plainUID = 65534

// childVariable says that this is not the first run: "user", or "old" for an
// ordinary user on what is as good as an old kernel.
const childVariable = "TREE_TEST_CHILD"

// TestMain runs the tests as they are, and when that is root, again as an
// ordinary user in processes of their own, one of which lacks the calls that a
// kernel or a seal may lack.
func TestMain(m *testing.M) {
	if os.Getenv(childVariable) == "old" {
		if err := oldkernel.Enter(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	code := m.Run()
	fuzzing := slices.ContainsFunc(os.Args, func(a string) bool { return strings.HasPrefix(a, "-test.fuzz") })
	for _, kind := range []string{"user", "old"} {
		if code != 0 || os.Geteuid() != 0 || os.Getenv(childVariable) != "" || fuzzing {
			break
		}
		if err := asOrdinaryUser(kind); err != nil {
			fmt.Fprintf(os.Stderr, "tests as an ordinary user (%s): %v\n", kind, err)
			code = 1
		}
	}
	os.Exit(code)
}

func asOrdinaryUser(kind string) error {
	dir, err := os.MkdirTemp("", "tree-test-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o777|os.ModeSticky); err != nil {
		return err
	}
	// The test binary lies where only its builder may look.
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		return err
	}
	exe := filepath.Join(dir, "tests")
	if err := os.WriteFile(exe, self, 0o755); err != nil {
		return err
	}
	if err := buildForeign(filepath.Join(dir, "foreign")); err != nil {
		return err
	}
	var args []string
	for _, a := range os.Args[1:] {
		// These name files that the user may not write, or are not for a second run.
		if !strings.HasPrefix(a, "-test.coverprofile") && !strings.HasPrefix(a, "-test.bench") && !strings.HasPrefix(a, "-test.testlogfile") && !strings.HasPrefix(a, "-test.gocoverdir") {
			args = append(args, a)
		}
	}
	p, err := os.StartProcess(exe, append([]string{exe}, args...), &os.ProcAttr{
		Dir:   dir,
		Env:   append(os.Environ(), childVariable+"="+kind, foreignVariable+"="+filepath.Join(dir, "foreign"), "TMPDIR="+dir),
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
		Sys:   &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: plainUID, Gid: plainUID}},
	})
	if err != nil {
		return err
	}
	state, err := p.Wait()
	if err == nil && !state.Success() {
		err = errors.New(state.String())
	}
	return err
}

// build makes host files: "dir/" a folder, "link -> body" a link, "fifo |" a
// FIFO, everything else a file with its own path as content.
func build(t testing.TB, dir string, specs ...string) {
	t.Helper()
	for _, s := range specs {
		var err error
		name, body, isLink := strings.Cut(s, " -> ")
		p := filepath.Join(dir, strings.TrimSuffix(name, " |"))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		switch {
		case isLink:
			err = os.Symlink(body, p)
		case strings.HasSuffix(s, " |"):
			err = unix.Mkfifo(p, 0o666)
		case strings.HasSuffix(s, "/"):
			err = os.MkdirAll(p, 0o755)
		default:
			err = os.WriteFile(p, []byte(s), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// env is a tree under test with the folders it is made of.
type env struct {
	t           testing.TB
	root, upper string
	tree        *Tree
	*Dir
}

// newEnv builds a tree on an image of the given host files.
func newEnv(t testing.TB, c Config, image ...string) *env {
	t.Helper()
	e := &env{t: t, root: t.TempDir(), upper: filepath.Join(t.TempDir(), "upper")}
	build(t, e.root, image...)
	c.Root = e.root
	if c.Upper == "none" {
		c.Upper = ""
	} else {
		c.Upper = e.upper
	}
	c.NoDevices = true
	e.open(c)
	return e
}

func (e *env) open(c Config) {
	e.t.Helper()
	tr, err := New(c)
	if err != nil {
		e.t.Fatal(err)
	}
	e.tree, e.Dir = tr, tr.Root()
	e.t.Cleanup(func() { tr.Close() })
	dir := e.Dir
	e.t.Cleanup(func() { dir.Close() })
}

// reopen is what a restart of the container does.
func (e *env) reopen() {
	e.t.Helper()
	e.Dir.Close()
	e.tree.Close()
	e.open(Config{Root: e.root, Upper: e.upper, NoDevices: true})
}

func (e *env) file(path string, o OpenFlags) *File {
	e.t.Helper()
	n, err := e.Open(path, o)
	if err != nil {
		e.t.Fatalf("open %s: %v", path, err)
	}
	f, ok := n.(*File)
	if !ok {
		e.t.Fatalf("open %s: got %T, want a file", path, n)
	}
	return f
}

func (e *env) read(path string) string {
	e.t.Helper()
	f := e.file(path, OpenFlags{Read: true, Follow: true})
	defer f.Close()
	return readFD(e.t, f.FD())
}

func readFD(t testing.TB, fd int) string {
	t.Helper()
	var b []byte
	buf := make([]byte, 4096)
	for {
		n, err := unix.Pread(fd, buf, int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return string(b)
		}
		b = append(b, buf[:n]...)
	}
}

func (e *env) write(path, data string) {
	e.t.Helper()
	f := e.file(path, OpenFlags{Write: true, Create: true, Truncate: true, Follow: true})
	if _, err := unix.Write(f.FD(), []byte(data)); err != nil {
		e.t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		e.t.Fatal(err)
	}
}

func (e *env) names(path string) string {
	e.t.Helper()
	d := e.dir(path)
	defer d.Close()
	list, err := d.Entries()
	if err != nil {
		e.t.Fatal(err)
	}
	var names []string
	for _, x := range list[2:] {
		names = append(names, x.Name)
	}
	if list[0].Name != "." || list[1].Name != ".." || !slices.IsSorted(names) {
		e.t.Errorf("entries of %s are out of order: %v", path, list)
	}
	for _, x := range list[2:] {
		st, err := d.StatAt(x.Name, false)
		if err == nil && (st.Ino != x.Ino || st.Type != x.Type) {
			e.t.Errorf("%s in %s: listed as %d/%d, stat says %d/%d", x.Name, path, x.Ino, x.Type, st.Ino, st.Type)
		}
	}
	return strings.Join(names, " ")
}

func (e *env) dir(path string) *Dir {
	e.t.Helper()
	n, err := e.Open(path, OpenFlags{Directory: true, Follow: true})
	if err != nil {
		e.t.Fatalf("open %s: %v", path, err)
	}
	return n.(*Dir)
}

func (e *env) want(got error, want error, what string) {
	e.t.Helper()
	if !errors.Is(got, want) || want == nil && got != nil {
		e.t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func (e *env) changes() string {
	e.t.Helper()
	list, err := Changes(e.root, e.upper)
	if err != nil {
		e.t.Fatal(err)
	}
	var s []string
	for _, c := range list {
		s = append(s, string(c.Kind)+" "+c.Path)
	}
	return strings.Join(s, ", ")
}

// snapshot is everything about a host folder that a guest could change.
func snapshot(t testing.TB, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.Walk(dir, func(p string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(p, &st); err != nil {
			return err
		}
		fmt.Fprintln(&b, p, info.Mode(), info.Size(), st.Mtim, st.Ino, st.Nlink)
		if info.Mode().IsRegular() {
			f, err := os.Open(p)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = io.Copy(&b, f)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// bothWays runs a test with openat2 and with the walk alone, as on kernels
// without it.
func bothWays(t *testing.T, f func(t *testing.T)) {
	for _, walk := range []bool{false, true} {
		t.Run(map[bool]string{false: "openat2", true: "walk"}[walk], func(t *testing.T) {
			was := noOpenat2.Swap(walk)
			defer noOpenat2.Store(was)
			f(t)
		})
	}
}
