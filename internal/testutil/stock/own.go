//go:build linux

// Package stock runs daemons that nobody here wrote, containerd and Docker
// Engine, for tests that drive Wherry's shim through them. They get folders,
// sockets, processes, mounts and a network of their own, and leave none of it.
// It must know nothing of how Wherry works.
package stock

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

const mark = "WHERRY_TEST_STOCK"

// Main is the whole of a TestMain. It runs the tests in namespaces of their
// own, with a process that collects orphans as the first one: when the tests
// end, however they do, every daemon, shim, mount, bridge and firewall rule
// that they made ends with them.
func Main(m *testing.M) int {
	switch os.Getenv(mark) {
	case "":
		if os.Geteuid() != 0 {
			fmt.Println("stock daemons need root: run this as root")
			if os.Getenv("CI") == "true" {
				return 1
			}
			return 0
		}
		return apart()
	case "first":
		if err := prepare(); err != nil {
			fmt.Fprintln(os.Stderr, "prepare the tests' namespaces:", err)
			return 1
		}
		return collect()
	}
	return m.Run()
}

// apart runs this test binary as it was called, in namespaces of its own, and
// holds that the machine is afterwards as it was before.
func apart() int {
	before, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), mark+"=first")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS | unix.CLONE_NEWCGROUP,
		Pdeathsig:  syscall.SIGKILL,
	}
	// The child begins when this process has left the tests' cgroups.
	hold, begin, err := os.Pipe()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	cmd.ExtraFiles = []*os.File{hold}
	// The signal comes when the thread ends, not when the process does.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	remove, err := inGroups(cmd.Start)
	begin.Close()
	hold.Close()
	result := 1
	if err == nil {
		result = code(cmd.Wait())
	} else {
		fmt.Fprintln(os.Stderr, err)
		if cmd.Process != nil {
			_ = cmd.Process.Kill() // what came of it does not count any more
			_ = cmd.Wait()
		}
	}
	if remove != nil {
		if err := remove(); err != nil {
			fmt.Fprintln(os.Stderr, "the tests left cgroups with something in them:", err)
			result = 1
		}
	}
	if after, err := os.ReadFile("/proc/self/mountinfo"); err != nil || !bytes.Equal(before, after) {
		fmt.Fprintf(os.Stderr, "the tests changed the machine's mounts (%v):\n%s\nwere\n%s\n", err, after, before)
		result = 1
	}
	return result
}

func code(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit) && exit.Exited():
		return exit.ExitCode()
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// prepare makes the namespaces livable: mounts that stay inside, a /proc and a
// /sys of their own, folders for daemons to write, a loopback.
func prepare() error {
	hold := os.NewFile(3, "hold")
	if _, err := hold.Read(make([]byte, 1)); err != io.EOF {
		return fmt.Errorf("wait for the machine's part: %w", err)
	}
	hold.Close()
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	if err := mountGroups(); err != nil {
		return err
	}
	for _, dir := range []string{"/run", "/var/lib/cni", "/etc/cni", "/var/lib/wherry"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=755"); err != nil {
			return fmt.Errorf("mount %s: %w", dir, err)
		}
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	ifr, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	ifr.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr)
}

// collect runs the tests and collects every orphan until they end.
func collect() int {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), mark+"=tests")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for {
		var ws syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &ws, 0, nil)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			fmt.Fprintln(os.Stderr, "wait for the tests:", err)
			return 1
		case pid == cmd.Process.Pid && ws.Exited():
			return ws.ExitStatus()
		case pid == cmd.Process.Pid:
			fmt.Fprintln(os.Stderr, "the tests were killed:", ws.Signal())
			return 1
		}
	}
}
