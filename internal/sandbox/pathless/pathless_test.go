//go:build linux

package pathless

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// The test's program is run again as the process without paths.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "compile" {
		if err := within(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// within gives up all paths and tries some, on several threads.
func within(folder string) error {
	if err := Leave(); err != nil {
		return err
	}
	errs := make(chan error)
	for range 4 {
		go func() {
			runtime.LockOSThread()
			errs <- try(folder)
		}()
	}
	var all []error
	for range 4 {
		all = append(all, <-errs)
	}
	return errors.Join(all...)
}

func try(folder string) error {
	var wrong []error
	for name, call := range map[string]func() error{
		"read":    func() error { _, err := os.ReadFile(filepath.Join(folder, "file")); return err },
		"write":   func() error { return os.WriteFile(filepath.Join(folder, "file"), nil, 0o600) },
		"list":    func() error { _, err := os.ReadDir(folder); return err },
		"mkdir":   func() error { return os.Mkdir(filepath.Join(folder, "new"), 0o700) },
		"remove":  func() error { return os.Remove(filepath.Join(folder, "file")) },
		"execute": func() error { return unix.Exec("/proc/self/exe", []string{"x"}, nil) },
		"connect": func() error { _, err := net.Dial("tcp", "127.0.0.1:1"); return err },
	} {
		if err := call(); !errors.Is(err, unix.EACCES) {
			wrong = append(wrong, fmt.Errorf("%s gave %v", name, err))
		}
	}
	// What is open stays usable.
	if _, err := os.NewFile(3, "out").Write([]byte("x")); err != nil {
		wrong = append(wrong, err)
	}
	return errors.Join(wrong...)
}

func TestLeave(t *testing.T) {
	version, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if (errno != 0 || version < 4) && os.Getenv("CI") != "true" {
		t.Skipf("this kernel's landlock is of version %d (%v); the test wants 4, which knows TCP", int(version), errno)
	}
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "file"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	// The child inherits it from the thread that forks, which is not used again.
	result := make(chan string)
	go func() {
		runtime.LockOSThread()
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			result <- err.Error()
			return
		}
		cmd := exec.Command("/proc/self/exe", "compile", folder)
		cmd.ExtraFiles = []*os.File{out}
		if text, err := cmd.CombinedOutput(); err != nil {
			result <- fmt.Sprintf("%v\n%s", err, text)
			return
		}
		result <- ""
	}()
	if wrong := <-result; wrong != "" {
		t.Error(wrong)
	}
	if written, err := os.ReadFile(out.Name()); err != nil || string(written) != "xxxx" {
		t.Errorf("the open file has %q, %v", written, err)
	}
}
