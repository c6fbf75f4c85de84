//go:build linux

package cli_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"wherry/internal/testutil/docker"
	"wherry/internal/testutil/wherry"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if err := docker.Clean(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// guest builds the scripts' guest program.
func guest(t *testing.T) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "guest.wasm")
	cmd := exec.Command("go", "build", "-o", out, ".")
	cmd.Dir = "testdata/guest"
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOFLAGS=-buildvcs=false", "CGO_ENABLED=0", "GOWORK=off")
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the guest: %v\n%s", err, b)
	}
	return out
}

// code runs a command and wants an exit code: code 3 wherry run …
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N command [arg...]")
	}
	want, err := strconv.Atoi(args[0])
	if err != nil {
		ts.Fatalf("code: %v", err)
	}
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v: %v", args[1:], err)
	}
	if got != want {
		ts.Fatalf("%v: exit code %d, want %d", args[1:], got, want)
	}
}

// oneline wants what the last command said on stderr to be one line.
func oneline(ts *testscript.TestScript, neg bool, args []string) {
	text := ts.ReadFile("stderr")
	if neg || len(args) > 0 || strings.Count(text, "\n") != 1 {
		ts.Fatalf("want one line on stderr, found %q", text)
	}
}

// until repeats a command until it succeeds; scripts wait with it for what
// has no event to wait for.
func until(ts *testscript.TestScript, _ bool, args []string) {
	deadline := time.Now().Add(30 * time.Second)
	for ts.Exec(args[0], args[1:]...) != nil {
		if time.Now().After(deadline) {
			ts.Fatalf("%v did not succeed within 30 s", args)
		}
	}
}

var commands = map[string]func(*testscript.TestScript, bool, []string){"code": code, "oneline": oneline, "until": until}

// conditions are root, of the engine, and wall:NAME for a wall that stands for
// its user, by its name in what the shim's program answers.
func conditions(t *testing.T, e *wherry.Engine, user *syscall.Credential) func(string) (bool, error) {
	t.Helper()
	ask := exec.Command(filepath.Join(e.Bin, "containerd-shim-wherry-v1"), "walls")
	ask.Env = e.Env()
	if user != nil {
		ask.SysProcAttr = &syscall.SysProcAttr{Credential: user}
	}
	stdout, stderr, code := wherry.Output(t, ask)
	var walls map[string]any
	if err := json.Unmarshal([]byte(stdout), &walls); err != nil || code != 0 {
		t.Fatalf("the shim's walls: %v\n%s%s", err, stdout, stderr)
	}
	return func(name string) (bool, error) {
		wall, ok := strings.CutPrefix(name, "wall:")
		switch {
		case name == "root":
			return user == nil && os.Geteuid() == 0, nil
		case !ok:
			return false, fmt.Errorf("unknown condition %s", name)
		}
		switch v := walls[wall].(type) {
		case bool:
			return v, nil
		case float64:
			return v > 0, nil
		case string:
			return v != "", nil
		default:
			return false, fmt.Errorf("unknown wall %s", wall)
		}
	}
}

// scripts runs a folder's scripts on an engine; each uses names of its own.
func scripts(t *testing.T, dir string, e *wherry.Engine, user *syscall.Credential) {
	t.Helper()
	program := guest(t)
	client := docker.Command(t)
	testscript.Run(t, testscript.Params{
		Dir:       dir,
		Cmds:      commands,
		Condition: conditions(t, e, user),
		Setup: func(env *testscript.Env) error {
			env.Vars = append(env.Vars, e.Env()...)
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("PATH", e.Bin+":"+filepath.Dir(client)+":"+os.Getenv("PATH"))
			env.Setenv("GUEST", program)
			env.Setenv("GOCACHE", goEnv(t, "GOCACHE"))
			env.Setenv("GOMODCACHE", goEnv(t, "GOMODCACHE"))
			return nil
		},
	})
}

// TestScripts runs the scripts on one engine.
func TestScripts(t *testing.T) {
	scripts(t, "testdata/script", wherry.Start(t), nil)
}

// TestSandboxScripts runs the scripts about users, walls and limits on an
// engine of the tests' user, and, where that is root, of an ordinary one.
func TestSandboxScripts(t *testing.T) {
	t.Run("own", func(t *testing.T) {
		scripts(t, "testdata/sandbox", wherry.Start(t), nil)
	})
	t.Run("ordinary", func(t *testing.T) {
		if os.Geteuid() != 0 {
			return // the tests' own user is one
		}
		const nobody = 65534
		scripts(t, "testdata/sandbox", wherry.StartAs(t, wherry.Programs(t), nobody), &syscall.Credential{Uid: nobody, Gid: nobody})
	})
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	b, err := exec.Command("go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// TestAutostart runs scripts that have no engine until they need one.
func TestAutostart(t *testing.T) {
	bin := wherry.Programs(t)
	program := guest(t)
	testscript.Run(t, testscript.Params{
		Dir:  "testdata/autostart",
		Cmds: commands,
		Setup: func(env *testscript.Env) error {
			// A socket's path is short; the script's own folder is not.
			dir, err := os.MkdirTemp("", "w")
			if err != nil {
				return err
			}
			env.Defer(func() { end(t, dir) })
			env.Setenv("XDG_DATA_HOME", filepath.Join(dir, "d"))
			env.Setenv("XDG_RUNTIME_DIR", filepath.Join(dir, "r"))
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("WHERRY_HOST", "")
			env.Setenv("BIN", bin)
			env.Setenv("PATH", bin+":"+os.Getenv("PATH"))
			env.Setenv("GUEST", program)
			return os.MkdirAll(filepath.Join(dir, "r"), 0o700)
		},
	})
}

// end ends every process that names or stands in dir, and removes it.
func end(t *testing.T, dir string) {
	for _, pid := range processesOf(t, dir) {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			t.Error(err)
		}
	}
	// What was killed may still write its last file.
	deadline := time.Now().Add(10 * time.Second)
	for len(processesOf(t, dir)) > 0 && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Error(err)
	}
}

func processesOf(t *testing.T, dir string) []int {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, p := range all {
		line, err := os.ReadFile(filepath.Join(p, "cmdline"))
		if err != nil || len(line) == 0 {
			continue // it ended meanwhile
		}
		cwd, _ := os.Readlink(filepath.Join(p, "cwd")) // "" if it ended meanwhile
		pid, err := strconv.Atoi(filepath.Base(p))
		if err == nil && pid != os.Getpid() && (strings.Contains(string(line), dir+"/") || strings.HasPrefix(cwd, dir+"/")) {
			pids = append(pids, pid)
		}
	}
	return pids
}
