package shim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"wherry/internal/engine/engines"
	"wherry/internal/sandbox"
	"wherry/internal/sandbox/cgroup"
	"wherry/internal/sandbox/seccomp"
	"wherry/internal/shim/bundle"
)

// WallsMain prints which walls stand around a container of this user on this
// machine: [bundle.Walls] as JSON. Nothing is guessed that can be tried: with
// the argument "try" it is its own child, in namespaces that were made for it.
func WallsMain(args []string, stdout, stderr io.Writer) int {
	if len(args) > 0 && args[0] == "try" {
		return tried(stderr)
	}
	if err := json.NewEncoder(stdout).Encode(walls()); err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}

// tried does in its new namespaces what a container process begins with there.
func tried(stderr io.Writer) int {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		fmt.Fprintf(stderr, "changing mounts: %v", err)
		return 1
	}
	return 0
}

func walls() bundle.Walls {
	w := bundle.Walls{CgroupControllers: []string{}, DefaultEngine: engines.Names()[0], Why: map[string]string{}}
	// what notes how a try went, by the wall's name.
	what := func(name string, err error) bool {
		if err != nil {
			w.Why[name] = err.Error()
		}
		return err == nil
	}
	root := os.Geteuid() == 0
	userns := tryNamespaces(unix.CLONE_NEWUSER | unix.CLONE_NEWNS)
	if w.Userns = userns == nil; !w.Userns && !root {
		w.Why["userns"] = whyNoUsers(userns)
	}
	own := uintptr(unix.CLONE_NEWUSER)
	if root {
		own = 0
	}
	const common = unix.CLONE_NEWNS | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS
	if tryNamespaces(own|common|unix.CLONE_NEWPID|unix.CLONE_NEWNET) == nil {
		w.Mountns, w.Pidns, w.Netns = true, true, true
	} else {
		w.Mountns = what("mountns", tryNamespaces(own|common))
		w.Pidns = what("pidns", tryNamespaces(own|unix.CLONE_NEWNS|unix.CLONE_NEWPID))
		w.Netns = what("netns", tryNamespaces(own|unix.CLONE_NEWNS|unix.CLONE_NEWNET))
	}
	abi, err := sandbox.Landlock()
	w.Landlock = abi
	what("landlock", err)
	w.Seccomp = what("seccomp", seccomp.Supported())
	if w.MDWE = seccomp.RefusesCode(); !w.MDWE {
		w.Why["mdwe"] = "the kernel has no PR_SET_MDWE, which came with Linux 6.3"
	}
	groups := cgroup.Probe()
	if groups.Version == 0 {
		w.Why["cgroup"] = groups.Why
		return w
	}
	w.Cgroup, w.CgroupParent = fmt.Sprintf("v%d", groups.Version), groups.Parent
	w.CgroupControllers = append(w.CgroupControllers, groups.Controllers...)
	return w
}

// tryNamespaces runs a child in new namespaces, among them one of mounts.
func tryNamespaces(flags uintptr) error {
	cmd := exec.Command("/proc/self/exe", bundle.WallsCommand, "try")
	cmd.Dir = "/"
	cmd.Env = []string{"GOMAXPROCS=1"}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags, Pdeathsig: syscall.SIGKILL}
	if flags&unix.CLONE_NEWUSER != 0 {
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	err := cmd.Run()
	var exit *exec.ExitError
	var path *os.PathError
	switch {
	case errors.As(err, &exit) && stderr.Len() > 0:
		return errors.New(stderr.String())
	case errors.As(err, &path): // "fork/exec /proc/self/exe" says nothing
		return path.Err
	}
	return err
}

// whyNoUsers says in words why an ordinary user may make no user namespace.
func whyNoUsers(err error) string {
	for _, s := range []struct{ key, bad string }{
		{"user.max_user_namespaces", "0"}, {"kernel.unprivileged_userns_clone", "0"}, {"kernel.apparmor_restrict_unprivileged_userns", "1"},
	} {
		b, readErr := os.ReadFile("/proc/sys/" + strings.ReplaceAll(s.key, ".", "/"))
		if readErr == nil && strings.TrimSpace(string(b)) == s.bad {
			return fmt.Sprintf("%v: sysctl %s is %s", err, s.key, s.bad)
		}
	}
	return err.Error()
}
