package shim

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"wherry/internal/shim/bundle"
)

// remove is the delete action: it cleans up behind a shim that died, or that
// never came up. What it kills counts as killed; a container whose end was
// told keeps its exit status.
func remove(o options, dir string) (removed, error) {
	st := removed{code: 128 + int(unix.SIGKILL), at: time.Now()}
	var err error
	if st.pid, err = killLeft(dir, o.id); err != nil {
		return st, err
	}
	if err := removeGroup(dir); err != nil {
		return st, err
	}
	var exit bundle.ExitStatus
	if bundle.Read(dir, bundle.Exit, &exit) == nil {
		st.code, st.at = exit.Code, exit.ExitedAt
	} else if werr := bundle.Write(dir, bundle.Exit, bundle.ExitStatus{
		Code: st.code, Reason: "its shim died", ExitedAt: st.at.UTC(),
	}); werr != nil && !errors.Is(werr, os.ErrNotExist) {
		return st, werr
	}
	rootfs := filepath.Join(dir, "rootfs")
	if err := unix.Unmount(rootfs, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil &&
		!errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.EPERM) {
		return st, &os.PathError{Op: "unmount", Path: rootfs, Err: err}
	}
	for _, name := range []string{bundle.Attach, bundle.PID, bundle.Compiling} {
		// What is not there needs no removing.
		_ = os.Remove(filepath.Join(dir, name))
	}
	removeSocket(o, dir)
	if s, err := readSpec(dir); err == nil {
		// The container is gone, whatever its hooks say of it.
		_ = stopHooks(s, o.id, dir)
	}
	return st, nil
}

// bundleDir is the bundle of the container that the delete action is for.
// containerd's working directory may be that of another container of the same
// pod.
func (o options) bundleDir() (string, error) {
	if o.bundle != "" {
		return o.bundle, nil
	}
	cwd, err := os.Getwd()
	if err != nil {
		return "", err
	}
	return filepath.Join(filepath.Dir(cwd), o.id), nil
}

// killLeft kills the container process if it still lives and waits for its
// end. Pids are used again: the process counts as the container's only if its
// command line says so.
func killLeft(dir, id string) (int, error) {
	data, err := os.ReadFile(filepath.Join(dir, bundle.PID))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil || pid <= 1 {
		return 0, nil
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return pid, nil
	}
	if err != nil {
		return pid, &os.SyscallError{Syscall: "pidfd_open", Err: err}
	}
	defer unix.Close(fd)
	// The descriptor names the process whatever becomes of the pid; what it
	// is can be asked after.
	args, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	// One that dies has no command line any more, and its namespaces take a
	// while to go with it: it is waited for.
	if err != nil || len(args) > 0 && !isContainer(args, id) {
		return pid, nil
	}
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return pid, &os.SyscallError{Syscall: "pidfd_send_signal", Err: err}
	}
	wait := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		if _, err := unix.Poll(wait, 2000); !errors.Is(err, unix.EINTR) {
			return pid, err
		}
	}
}

// isContainer tells whether a command line is that of a container's process.
func isContainer(cmdline []byte, id string) bool {
	args := strings.Split(strings.TrimRight(string(cmdline), "\x00"), "\x00")
	return len(args) == 3 && args[1] == "guest" && args[2] == id
}

// removeSocket removes the dead shim's socket, unless a living one, of other
// containers of the pod, answers there.
func removeSocket(o options, dir string) {
	data, err := os.ReadFile(filepath.Join(dir, bundle.Address))
	path := strings.TrimPrefix(string(data), "unix://")
	if err != nil {
		path = socketPath(o, o.id)
	}
	if l, err := listen(path); err == nil {
		l.Close()
		_ = os.Remove(path)
	}
}
