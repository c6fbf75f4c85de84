//go:build linux

// Package stock runs daemons that nobody here wrote, containerd and Docker
// Engine, for tests that drive Wherry's shim through them. They get folders,
// sockets, processes, mounts and a network of their own, and leave none of it.
// It must know nothing of how Wherry works.
package stock

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
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
		return runAgain("first", syscall.CLONE_NEWPID|syscall.CLONE_NEWNS|syscall.CLONE_NEWNET|syscall.CLONE_NEWIPC|syscall.CLONE_NEWUTS)
	case "first":
		if err := prepare(); err != nil {
			fmt.Fprintln(os.Stderr, "prepare the tests' namespaces:", err)
			return 1
		}
		return collect()
	}
	return m.Run()
}

// runAgain runs this test binary as it was called, further in.
func runAgain(stage string, flags uintptr) int {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), mark+"="+stage)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags, Pdeathsig: syscall.SIGKILL}
	return code(cmd.Run())
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
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	for _, dir := range []string{"/run", "/var/lib/cni", "/etc/cni"} {
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
