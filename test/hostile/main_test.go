//go:build linux

package hostile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"wherry/internal/testutil/oldkernel"
)

// ordinary is the user that a root run of the tests becomes as well.
const ordinary = 65534

// asVariable says as whom a run is: unset for the first, then "user", and "old"
// for an ordinary user without openat2 and the calls that set what a path
// stands for. binVariable is where such a run finds the programs.
const (
	asVariable  = "HOSTILE_AS"
	binVariable = "HOSTILE_BIN"
)

// bin is the folder of the programs, once a test has built them.
var bin = os.Getenv(binVariable)

func TestMain(m *testing.M) {
	as := os.Getenv(asVariable)
	if as == "old" {
		if err := oldkernel.Enter(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	code := m.Run()
	for _, next := range []string{"user", "old"} {
		if code != 0 || os.Geteuid() != 0 || as != "" {
			break
		}
		if err := again(next); err != nil {
			fmt.Fprintf(os.Stderr, "the run as %q: %v\n", next, err)
			code = 1
		}
	}
	os.Exit(code)
}

// again runs the tests once more as an ordinary user.
func again(as string) error {
	dir, err := os.MkdirTemp("", "hostile")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.Chown(dir, ordinary, ordinary); err != nil {
		return err
	}
	// The test and the programs lie where only their builder may look.
	files := map[string]string{"tests": "/proc/self/exe"}
	if bin != "" {
		for _, name := range []string{"wherry", "wherryd", "containerd-shim-wherry-v1"} {
			files[name] = filepath.Join(bin, name)
		}
	}
	for name, from := range files {
		b, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o755); err != nil {
			return err
		}
	}
	// Source files are found from the working folder, which the user may not
	// look through to.
	if err := os.CopyFS(filepath.Join(dir, "src", "testdata"), os.DirFS("testdata")); err != nil {
		return err
	}
	args := slices.DeleteFunc(slices.Clone(os.Args), func(a string) bool {
		return strings.HasPrefix(a, "-test.coverprofile") || strings.HasPrefix(a, "-test.testlogfile") || strings.HasPrefix(a, "-test.gocoverdir")
	})
	env := append(os.Environ(), asVariable+"="+as, "TMPDIR="+dir, "HOME="+dir, "XDG_RUNTIME_DIR="+dir, "XDG_DATA_HOME="+dir)
	if bin != "" {
		env = append(env, binVariable+"="+dir)
	}
	p, err := os.StartProcess(filepath.Join(dir, "tests"), args, &os.ProcAttr{
		Dir: filepath.Join(dir, "src"), Env: env, Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
		Sys: &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: ordinary, Gid: ordinary}, Pdeathsig: unix.SIGKILL},
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
