package test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/moby/profiles/seccomp"

	"wherry/internal/testutil/wherry"
)

// ordinaryUser is a user of no account and no rights.
const ordinaryUser = 54321

// withoutNamespaces is a user whose kernel refuses user namespaces. There is no
// jail then: landlock and the filter of system calls keep the guest from the
// user's files, but for looking which there are.
const withoutNamespaces = "user without namespaces"

// TestWalls tries from inside the container process, past the WASI host, what
// the walls around it are there to stop: as root and as an ordinary user, on
// each engine.
func TestWalls(t *testing.T) {
	eachUser(t, "CGO_ENABLED=1", func(t *testing.T, w *walls) {
		on(t, func(t *testing.T, options ...string) {
			t.Run("lives", func(t *testing.T) { w.lives(t, options) })
			t.Run("own filter", func(t *testing.T) { w.ownFilter(t, options) })
			t.Run("refused", func(t *testing.T) { w.refused(t, options) })
			for _, call := range endingCalls {
				t.Run(call, func(t *testing.T) { w.ends(t, options, call) })
			}
		})
	})
}

// eachUser runs a test against the shim of a build, for every kind of user.
func eachUser(t *testing.T, build string, test func(*testing.T, *walls)) {
	bin := probePrograms(t, build)
	busy := compileGo(t, "busy")
	for name, uid := range wallUsers(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newWalls(t, bin, uid, name == withoutNamespaces, busy))
		})
	}
}

// TestWallsWithoutCgo holds the same for the shim without cgo, which closes the
// process in another way.
func TestWallsWithoutCgo(t *testing.T) {
	eachUser(t, "CGO_ENABLED=0", func(t *testing.T, w *walls) {
		w.lives(t, nil)
		w.refused(t, nil)
		w.ends(t, nil, "mount")
	})
}

// wallUsers are the users whose engines are tried.
func wallUsers(t *testing.T) map[string]int {
	if own := os.Geteuid(); own != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("only root can run the engine of another user")
		}
		return map[string]int{"ordinary user": own}
	}
	return map[string]int{"root": 0, "ordinary user": ordinaryUser, withoutNamespaces: ordinaryUser}
}

// probePrograms is a folder of the programs whose shim is built with the probe.
func probePrograms(t *testing.T, cgo string) string {
	t.Helper()
	own := wherry.Programs(t)
	dir, err := os.MkdirTemp("", "wherry-probe")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	// Others run them as well.
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"wherry", "wherryd"} {
		if err := copyProgram(filepath.Join(own, name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	const shim = "containerd-shim-wherry-v1"
	build := exec.Command("go", "build", "-trimpath", "-tags", "netgo,osusergo,wherryprobe", "-o", filepath.Join(dir, shim), "./cmd/"+shim)
	build.Dir = wherry.Root(t)
	build.Env = append(os.Environ(), "GOFLAGS=-buildvcs=false", cgo)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	// The probe is in that build and in no other.
	for path, want := range map[string]bool{filepath.Join(dir, shim): true, filepath.Join(own, shim): false} {
		program, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := bytes.Contains(program, []byte("WHERRY_PROBE")); got != want {
			t.Fatalf("%s has the probe: %v", path, got)
		}
	}
	return dir
}

// compileGo compiles a Go guest of testdata.
func compileGo(t *testing.T, name string) []byte {
	t.Helper()
	module := filepath.Join(t.TempDir(), name+".wasm")
	cmd := exec.Command("go", "build", "-trimpath", "-o", module, "./testdata/"+name)
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOFLAGS=-buildvcs=false")
	if _, stderr, code := wherry.Output(t, cmd); code != 0 {
		t.Fatal(stderr)
	}
	data, err := os.ReadFile(module)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func copyProgram(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if e := out.Close(); err == nil {
		err = e
	}
	return err
}

// silentModule has an empty _start.
const silentModule = "\x00asm\x01\x00\x00\x00\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x07\x0a\x01\x06_start\x00\x00\x0a\x04\x01\x02\x00\x0b"

// walls is an engine with the probe, and what the probe tries to reach.
type walls struct {
	*wherry.Engine
	// guest is a module that does much and prints "done".
	guest string
	// silent is one that does nothing, for the probe to stand in for.
	silent string
	// secret is a file of the engine's user, outside of everything given.
	secret string
	// env tells the probe.
	env []string
	// bare says that there is no jail.
	bare bool
}

func newWalls(t *testing.T, bin string, uid int, bare bool, guest []byte) *walls {
	w := &walls{bare: bare}
	user := &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}
	switch {
	case bare:
		w.Engine = wherry.StartBare(t, bin, uint32(uid))
	case uid == os.Geteuid():
		w.Engine, user = wherry.StartFrom(t, bin), nil
	default:
		w.Engine = wherry.StartAs(t, bin, uint32(uid))
	}
	w.guest = filepath.Join(w.Dir, "busy.wasm")
	write(t, w.guest, string(guest))
	w.silent = filepath.Join(w.Dir, "silent.wasm")
	write(t, w.silent, silentModule)

	dir, err := os.MkdirTemp("", "wherry-secret")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	w.secret = filepath.Join(dir, "secret")
	write(t, w.secret, "secret")
	for _, path := range []string{dir, w.secret} {
		if err := os.Chown(path, uid, uid); err != nil {
			t.Fatal(err)
		}
	}

	sleeper := exec.Command("sleep", "3600")
	sleeper.SysProcAttr = &syscall.SysProcAttr{Credential: user}
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sleeper.Process.Kill(); err != nil {
			t.Errorf("the process that nobody may signal: %v", err)
		}
		_ = sleeper.Wait() // killed
	})

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	w.env = []string{
		"-e", "WHERRY_PROBE_FILE=" + w.secret,
		"-e", fmt.Sprintf("WHERRY_PROBE_PID=%d", sleeper.Process.Pid),
		"-e", fmt.Sprintf("WHERRY_PROBE_PORT=%d", listener.Addr().(*net.TCPAddr).Port),
	}
	return w
}

// lives runs a guest that does much: the walls must leave it all that it needs.
func (w *walls) lives(t *testing.T, options []string) {
	args := append([]string{"run", "--rm", "-v", "/volume", "--tmpfs", "/scratch"}, options...)
	stdout, stderr, code := w.Run(append(args, w.guest, "/", "/volume", "/scratch")...)
	if code != 0 || stdout != "done\n" {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
}

// ownFilter runs it with filters of the user's own, which count besides.
func (w *walls) ownFilter(t *testing.T, options []string) {
	docker, err := json.Marshal(seccomp.DefaultProfile())
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		profile string
		code    int
		says    string
	}{
		"docker's": {string(docker), 0, "done"},
		"errno": {`{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["ftruncate"], "action": "SCMP_ACT_ERRNO", "errnoRet": 27}]}`,
			1, "File too large"},
		"argument": {`{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["renameat2"], "action": "SCMP_ACT_ERRNO",
			"args": [{"index": 4, "value": 0, "op": "SCMP_CMP_EQ"}]}]}`, 1, "not permitted"},
		"kill":   {`{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["symlinkat"], "action": "SCMP_ACT_KILL"}]}`, 128 + int(syscall.SIGSYS), ""},
		"notify": {`{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_NOTIFY"}]}`, 125, "SCMP_ACT_NOTIFY asks a listener"},
	} {
		file := filepath.Join(w.Dir, "profile.json")
		write(t, file, c.profile)
		args := append([]string{"run", "--rm", "--security-opt", "seccomp=" + file}, options...)
		stdout, stderr, code := w.Run(append(args, w.guest, "/")...)
		if code != c.code || !strings.Contains(stdout+stderr, c.says) {
			t.Errorf("%s: exit code %d, want %d and %q\n%s%s", name, code, c.code, c.says, stdout, stderr)
		}
	}
}

func (w *walls) probe(options []string, name string) (stdout, stderr string, code int) {
	args := append([]string{"run", "--rm", "--network", "none", "-e", "WHERRY_PROBE=" + name}, options...)
	return w.Run(append(append(args, w.env...), w.silent)...)
}

// refused runs all that should get an error.
func (w *walls) refused(t *testing.T, options []string) {
	before, err := os.Stat(w.secret)
	if err != nil {
		t.Fatal(err)
	}
	stdout, stderr, code := w.probe(options, "reach")
	if code != 0 {
		t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
	}
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	if len(lines) < 66 {
		t.Errorf("only %d things were tried:\n%s", len(lines), stdout)
	}
	for _, line := range lines {
		name, outcome, _ := strings.Cut(line, ": ")
		if w.bare && outcome == "REACHED" && (strings.HasPrefix(name, "look at ") || strings.HasPrefix(name, "stat ")) {
			continue
		}
		denied, ok := strings.CutPrefix(outcome, "denied ")
		switch denied {
		case "EPERM", "EACCES", "ENOSYS", "ENOENT":
		case "EXDEV": // landlock's, for what would move a file out of its rights
			ok = ok && (strings.HasPrefix(name, "link ") || strings.HasPrefix(name, "rename "))
		case "EINVAL": // as from a kernel that knows none of its options
			ok = name == "prctl"
		default:
			ok = false
		}
		if !ok {
			t.Error(line)
		}
	}
	after, err := os.Stat(w.secret)
	if err != nil || after.Mode() != before.Mode() || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("the file was changed: %v, %v, then %v, %v: %v", before.Mode(), before.ModTime(), after.Mode(), after.ModTime(), err)
	}
}

// endingCalls are the probes that should end the process.
var endingCalls = []string{
	"execve", "execveat", "ptrace", "process_vm_readv", "pidfd_open", "mount", "umount", "open_tree", "pivot_root", "chroot",
	"setns", "unshare", "bpf", "io_uring_setup", "userfaultfd", "perf_event_open", "keyctl", "add_key", "open_by_handle_at",
	"setuid", "capset", "personality", "seccomp", "ptracer", "init_module", "reboot",
}

// ends runs a call that should end the process.
func (w *walls) ends(t *testing.T, options []string, call string) {
	stdout, stderr, code := w.probe(options, call)
	if want := 128 + int(syscall.SIGSYS); code != want || stdout != "" {
		t.Errorf("exit code %d, want %d\n%s%s", code, want, stdout, stderr)
	}
}
