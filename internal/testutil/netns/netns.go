//go:build linux

// Package netns runs commands of tests in a network of their own, where every
// port is free and nothing but the loopback is there. It must know nothing of
// Wherry.
package netns

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

const mark = "WHERRY_TEST_NETNS"

// Command prepares a command that runs in a new network namespace with its
// loopback up. As an ordinary user it is root in a user namespace of its own,
// but for the files of others. The test's TestMain must call Enter first.
func Command(t testing.TB, name string, args ...string) *exec.Cmd {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, append([]string{path}, args...)...)
	cmd.Env = append(os.Environ(), mark+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET}
	if uid := os.Geteuid(); uid != 0 {
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	return cmd
}

// Enter is the first call of a TestMain: in the process that Command started it
// brings the loopback up and becomes the command; elsewhere it does nothing.
func Enter() {
	if os.Getenv(mark) == "" {
		return
	}
	fmt.Fprintln(os.Stderr, "netns:", become())
	os.Exit(1)
}

func become() error {
	if err := os.Unsetenv(mark); err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	ifr, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	ifr.SetUint16(unix.IFF_UP)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr); err != nil {
		return fmt.Errorf("bring up the loopback: %w", err)
	}
	return unix.Exec(os.Args[1], os.Args[1:], os.Environ())
}
