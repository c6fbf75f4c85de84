//go:build linux

package sandbox

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"wherry/internal/guest"
	"wherry/internal/sandbox/enter"
	"wherry/internal/sandbox/wall"
	"wherry/internal/wasi/host/tree"
)

// lookout is the name of a container process that, in place of a guest, looks
// around within its walls and tells.
const lookout = "lookout"

// view is what such a process sees.
type view struct {
	// Names are all files and folders from its root down.
	Names []string
	// Same says that "/", "/.." and what climbing from its working directory
	// leads to are one.
	Same   bool
	PID    int
	UID    int
	Groups []int
	// Tried are the outcomes of what it tries, by what that is; empty where it
	// succeeded.
	Tried map[string]string
}

// lookAround is the main function of such a process. It stays until nobody
// listens.
func lookAround() int {
	if !enter.Run() {
		return guest.ExitSetup
	}
	v := view{PID: os.Getpid(), UID: os.Getuid(), Tried: map[string]string{}}
	v.Groups, _ = os.Getgroups()
	root, up, far := ino("/"), ino("/.."), ino(strings.Repeat("../", 40))
	v.Same = root == up && root == far && root != 0
	try := func(what string, err error) {
		v.Tried[what] = ""
		if err != nil {
			var errno unix.Errno
			errors.As(err, &errno)
			v.Tried[what] = unix.ErrnoName(errno)
		}
	}
	for _, dir := range []string{"/", "/image", "/upper", "/mounts/0", "/mounts/0/below", "/dev"} {
		try("write "+dir, os.WriteFile(filepath.Join(dir, "written"), []byte("x"), 0o600))
	}
	_, err := os.ReadDir("/proc")
	try("read /proc", err)
	_, err = os.ReadFile("/mounts/0/kernel/version")
	try("read procfs", err)
	try("mount", unix.Mount("tmpfs", "/mounts", "tmpfs", 0, ""))
	try("unshare", unix.Unshare(unix.CLONE_NEWNS))
	try("become root", syscall.Setuid(0))
	try("write null", os.WriteFile("/dev/null", []byte("x"), 0))
	if _, err = unix.MmapPtr(open("/image/library"), 0, nil, 4096, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_PRIVATE); true {
		try("map code of the image", err)
	}
	if _, err = unix.MmapPtr(open("/code"), 0, nil, 4096, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_PRIVATE); true {
		try("map the code", err)
	}
	_ = filepath.WalkDir("/", func(path string, d os.DirEntry, err error) error {
		if path != "/" && len(v.Names) < 200 {
			v.Names = append(v.Names, path)
		}
		return nil
	})
	f := os.NewFile(controlFD, "control")
	if json.NewEncoder(f).Encode(v) != nil {
		return 1
	}
	_, _ = io.ReadAll(f)
	return 0
}

func open(path string) int {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1
	}
	return fd
}

func ino(path string) uint64 {
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil {
		return 0
	}
	return st.Ino
}

// room is a test's container: what its guest would reach, and an empty jail.
type room struct {
	Enclosure
	dir string
}

// newRoom makes one.
func newRoom(t testing.TB) *room {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"image", "upper", "mount/below", "jail"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"code", "image/library"} {
		if err := os.WriteFile(filepath.Join(dir, name), make([]byte, 4096), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	r := &room{dir: dir}
	r.Code, r.Jail, r.Best = filepath.Join(dir, "code"), filepath.Join(dir, "jail"), true
	r.Config.Files.Root, r.Config.Files.Upper = filepath.Join(dir, "image"), filepath.Join(dir, "upper")
	r.Spec = &specs.Spec{
		Hostname: "box",
		Process:  &specs.Process{Capabilities: &specs.LinuxCapabilities{Effective: wall.Allowed()}},
		Linux: &specs.Linux{Namespaces: []specs.LinuxNamespace{
			{Type: specs.MountNamespace}, {Type: specs.IPCNamespace}, {Type: specs.UTSNamespace}, {Type: specs.PIDNamespace}, {Type: specs.NetworkNamespace},
		}},
	}
	return r
}

// enter has a process look around within the room's walls, and gives it with
// what it saw. It lives until the test ends.
func (r *room) enter(t *testing.T) (*Standby, view) {
	t.Helper()
	walls, err := Enclose(r.Enclosure)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Prepare(lookout)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Discard)
	if err := s.Enclose(walls[0].Plan); err != nil {
		t.Fatal(err)
	}
	if <-s.built; s.failed != nil {
		t.Fatal(s.failed)
	}
	var v view
	if err := json.NewDecoder(s.conn).Decode(&v); err != nil {
		t.Fatalf("the process tells nothing: %v", err)
	}
	return s, v
}

// asUser runs a test once more as an ordinary user.
func asUser(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	t.Run("user", func(t *testing.T) {
		dir, err := os.MkdirTemp("", "wherry-user-")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		// go test's own copy lies where others do not come.
		program := filepath.Join(dir, "test")
		data, err := os.ReadFile("/proc/self/exe")
		if err == nil {
			err = os.WriteFile(program, data, 0o755)
		}
		if err == nil {
			err = os.Chmod(dir, 0o777)
		}
		if err != nil {
			t.Fatal(err)
		}
		name, _, _ := strings.Cut(t.Name(), "/")
		cmd := exec.Command(program, "-test.run", "^"+name+"$", "-test.v")
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "TMPDIR="+dir, "HOME="+dir)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}, Pdeathsig: syscall.SIGKILL}
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "--- PASS: "+name) {
			t.Errorf("as an ordinary user: %v\n%s", err, out)
		}
	})
}

func mountOf(source string) tree.Mount {
	return tree.Mount{Target: "/data", Source: source, ReadOnly: true}
}
