package wherry

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Engine is a daemon of a test's own.
type Engine struct {
	// Dir holds everything of this engine: data, run, and the daemon's log.
	Dir string
	// Bin is the folder of the programs.
	Bin string

	tb     testing.TB
	daemon *exec.Cmd
	done   chan struct{}
	// user is whose the engine and its commands are; nil is the test's own.
	user *syscall.Credential
	// bare keeps the daemon from making namespaces.
	bare bool
}

// Start runs a daemon and waits until it answers. At the test's end all its
// containers, shims and files are gone, also when the test failed.
func Start(t testing.TB) *Engine {
	t.Helper()
	return StartFrom(t, Programs(t))
}

// StartFrom is Start for programs of another folder, such as another CPU's.
func StartFrom(t testing.TB, bin string) *Engine {
	t.Helper()
	return (&Engine{Bin: bin, tb: t}).start()
}

// StartAs is StartFrom for the engine of another user, who has no group beside
// that of the same number. It takes root.
func StartAs(t testing.TB, bin string, uid uint32) *Engine {
	t.Helper()
	return (&Engine{Bin: bin, tb: t, user: &syscall.Credential{Uid: uid, Gid: uid}}).start()
}

// StartBare is StartAs for a user who cannot make namespaces, as where a
// system's owner forbids it.
func StartBare(t testing.TB, bin string, uid uint32) *Engine {
	t.Helper()
	return (&Engine{Bin: bin, tb: t, user: &syscall.Credential{Uid: uid, Gid: uid}, bare: true}).start()
}

func (e *Engine) start() *Engine {
	t := e.tb
	t.Helper()
	// A socket's path may have 107 bytes; a test's own folder is often longer.
	dir, err := os.MkdirTemp("", "wherry")
	if err != nil {
		t.Fatal(err)
	}
	e.Dir = dir
	t.Cleanup(e.destroy)
	if e.user != nil {
		if err := os.Chown(dir, int(e.user.Uid), int(e.user.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	e.StartDaemon()
	return e
}

// Socket is the path of the API's socket.
func (e *Engine) Socket() string { return filepath.Join(e.Dir, "run", "docker.sock") }

// Data is the engine's data root.
func (e *Engine) Data() string { return filepath.Join(e.Dir, "data") }

// StartDaemon starts the daemon, after it was killed for instance.
func (e *Engine) StartDaemon() {
	e.tb.Helper()
	log, err := os.OpenFile(filepath.Join(e.Dir, "daemon.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		e.tb.Fatal(err)
	}
	defer log.Close()
	e.daemon = e.Command("daemon", "--data-root", e.Data(), "--host", "unix://"+e.Socket())
	if e.bare {
		e.strip(e.daemon)
	}
	e.daemon.Stdout, e.daemon.Stderr = log, log
	if err := e.daemon.Start(); err != nil {
		e.tb.Fatal(err)
	}
	done := make(chan struct{})
	e.done = done
	go func(cmd *exec.Cmd) {
		_ = cmd.Wait() // killed by the test as often as not
		close(done)
	}(e.daemon)

	deadline := time.Now().Add(30 * time.Second)
	for {
		if _, _, code := e.Run("version"); code == 0 {
			return
		}
		select {
		case <-done:
			e.tb.Fatalf("the daemon ended before it answered:\n%s", e.DaemonLog())
		default:
		}
		if time.Now().After(deadline) {
			e.tb.Fatalf("the daemon did not answer within 30 s:\n%s", e.DaemonLog())
		}
	}
}

// strip has a command run in a user namespace that may have none below it
// (user_namespaces(7), /proc/sys/user), where it has no capability.
func (e *Engine) strip(cmd *exec.Cmd) {
	const script = `echo 0 > /proc/sys/user/max_user_namespaces && uid=$1 && shift && exec setpriv --reuid $uid --regid $uid --clear-groups "$@"`
	uid := int(e.user.Uid)
	cmd.Args = append([]string{"sh", "-c", script, "sh", strconv.Itoa(uid), cmd.Path}, cmd.Args[1:]...)
	cmd.Path = "/bin/sh"
	ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}, {ContainerID: uid, HostID: uid, Size: 1}}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWUSER, UidMappings: ids, GidMappings: ids, GidMappingsEnableSetgroups: true,
		Credential: &syscall.Credential{},
	}
}

// KillDaemon ends the daemon with a signal and waits until it is gone.
func (e *Engine) KillDaemon(sig syscall.Signal) {
	e.tb.Helper()
	if err := e.daemon.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		e.tb.Fatal(err)
	}
	<-e.done
}

// DaemonLog is what the daemon printed.
func (e *Engine) DaemonLog() string {
	b, err := os.ReadFile(filepath.Join(e.Dir, "daemon.log"))
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// Env is the environment in which commands reach this engine.
func (e *Engine) Env() []string {
	env := os.Environ()
	if e.user != nil {
		env = append(env, "HOME="+e.Dir, "XDG_RUNTIME_DIR="+e.Dir, "XDG_DATA_HOME="+e.Data())
	}
	return append(env,
		"WHERRY_HOST=unix://"+e.Socket(), "DOCKER_HOST=unix://"+e.Socket(),
		"DOCKER_CONFIG="+filepath.Join(e.Dir, "config"), "DOCKER_CONTEXT=", "NO_PROXY=*",
		"PATH="+e.Bin+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// Command prepares a wherry command on this engine.
func (e *Engine) Command(args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(e.Bin, "wherry"), args...)
	cmd.Env = e.Env()
	cmd.Dir = e.Dir
	if e.user != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: e.user}
	}
	return cmd
}

// Run runs a wherry command to its end.
func (e *Engine) Run(args ...string) (stdout, stderr string, code int) {
	e.tb.Helper()
	return Output(e.tb, e.Command(args...))
}

// Must runs a wherry command that has to succeed, and returns what it printed
// without the last newline.
func (e *Engine) Must(args ...string) string {
	e.tb.Helper()
	stdout, stderr, code := e.Run(args...)
	if code != 0 {
		e.tb.Fatalf("wherry %s: exit code %d\n%s%s\ndaemon:\n%s", strings.Join(args, " "), code, stdout, stderr, e.DaemonLog())
	}
	return strings.TrimSuffix(stdout, "\n")
}

// Output runs a command to its end. A command that could not be started fails
// the test.
func Output(t testing.TB, cmd *exec.Cmd) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	if cmd.Stdout == nil {
		cmd.Stdout = &out
	}
	if cmd.Stderr == nil {
		cmd.Stderr = &errs
	}
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		code = exit.ExitCode()
	case err != nil && !errors.Is(err, io.ErrClosedPipe):
		t.Fatalf("%s: %v", cmd, err)
	}
	return out.String(), errs.String(), code
}

// destroy removes the containers by the front door, and then whatever is left
// by the back door: every process that has this engine's folder in its
// arguments or as its working folder.
func (e *Engine) destroy() {
	if ids, _, code := e.Run("ps", "-aq"); code == 0 && strings.TrimSpace(ids) != "" {
		e.Run(append([]string{"rm", "-fv"}, strings.Fields(ids)...)...)
	}
	if e.daemon != nil {
		_ = e.daemon.Process.Signal(syscall.SIGTERM)
		select {
		case <-e.done:
		case <-time.After(20 * time.Second):
			e.tb.Errorf("the daemon did not end on SIGTERM within 20 s:\n%s", e.DaemonLog())
			_ = e.daemon.Process.Kill()
			<-e.done
		}
	}
	for _, p := range e.Processes() {
		e.tb.Errorf("left behind: %s", p.Line)
		_ = syscall.Kill(p.PID, syscall.SIGKILL)
	}
	if err := os.RemoveAll(e.Dir); err != nil {
		e.tb.Error(err)
	}
}

// Reap ends, when the test does, whatever still works in a folder that a test
// gave to an engine it did not start itself, and removes the folder.
func Reap(t testing.TB, dir string) {
	t.Helper()
	e := &Engine{Dir: dir, tb: t}
	t.Cleanup(func() {
		for len(e.Processes()) > 0 {
			for _, p := range e.Processes() {
				_ = syscall.Kill(p.PID, syscall.SIGKILL)
			}
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
}

// Process is a process of an engine.
type Process struct {
	PID  int
	Line string
}

// Processes lists the processes that work in this engine's folder: its daemon,
// its shims and its containers.
func (e *Engine) Processes() []Process {
	var found []Process
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		e.tb.Fatal(err)
	}
	for _, dir := range dirs {
		line, err := os.ReadFile(filepath.Join(dir, "cmdline"))
		if err != nil {
			continue // it ended meanwhile
		}
		cwd, _ := os.Readlink(filepath.Join(dir, "cwd"))
		if !strings.HasPrefix(cwd, e.Dir) && !bytes.Contains(line, []byte(e.Dir)) {
			continue
		}
		var pid int
		if _, err := fmt.Sscanf(filepath.Base(dir), "%d", &pid); err != nil || pid == os.Getpid() {
			continue
		}
		found = append(found, Process{pid, fmt.Sprintf("%d %s (in %s)", pid, bytes.ReplaceAll(line, []byte{0}, []byte(" ")), cwd)})
	}
	return found
}
