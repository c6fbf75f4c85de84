package sandbox

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"wherry/internal/sandbox/enter"
	"wherry/internal/sandbox/wall"
)

// host is what walls may be built on here. It is found once.
var host = sync.OnceValue(func() wall.Host {
	landlock, _ := Landlock() // what is missing is not built on
	return wall.Host{
		UID: uint32(os.Geteuid()), GID: uint32(os.Getegid()),
		Privileged:   effective(unix.CAP_SYS_ADMIN),
		CanFork:      enter.CanFork,
		MountSetattr: hasMountSetattr(),
		Initramfs:    onInitramfs(),
		Landlock:     landlock,
		LastCap:      lastCap(),
		Setgroups:    setgroupsAllowed(),
		AppArmor:     appArmor(),
		SELinux:      exists("/sys/fs/selinux/enforce"),
	}
})

// effective tells whether this process has a capability.
func effective(c int) bool {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&head, &data[0]); err != nil {
		return false
	}
	return data[c/32].Effective&(1<<(c%32)) != 0
}

// hasMountSetattr tells whether the kernel knows mount_setattr(2), Linux 5.12.
func hasMountSetattr() bool {
	_, _, errno := unix.Syscall6(unix.SYS_MOUNT_SETATTR, ^uintptr(0), 0, 0, 0, 0, 0)
	return errno != unix.ENOSYS
}

// onInitramfs tells whether "/" is the file system that the kernel begins with
// (Documentation/filesystems/ramfs-rootfs-initramfs.rst).
func onInitramfs() bool {
	var st unix.Statfs_t
	if unix.Statfs("/", &st) != nil || st.Type != unix.RAMFS_MAGIC && st.Type != unix.TMPFS_MAGIC {
		return false
	}
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return false
	}
	initial := false
	for line := range strings.Lines(string(text)) {
		// The last mount at a place is the one that is seen.
		if fields := strings.Fields(line); len(fields) > 4 && fields[4] == "/" {
			initial = strings.Contains(line, " - rootfs ")
		}
	}
	return initial
}

// Landlock is the version of the kernel's landlock, 0 where there is none, with
// why not (landlock_create_ruleset(2)).
func Landlock() (abi int, why error) {
	n, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	switch errno {
	case 0:
		return int(n), nil
	case unix.EOPNOTSUPP:
		return 0, errors.New("the kernel has landlock, but it was not switched on at boot (lsm=)")
	case unix.ENOSYS:
		return 0, errors.New("the kernel has no landlock, which came with Linux 5.13")
	default:
		return 0, fmt.Errorf("landlock: %w", errno)
	}
}

// lastCap is the highest capability that the kernel knows.
var lastCap = sync.OnceValue(func() int {
	for n := 0; ; n++ {
		if _, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(n), 0, 0, 0); err != nil {
			return n - 1
		}
	}
})

// setgroupsAllowed tells whether this process's user namespace lets groups be
// set (user_namespaces(7)).
func setgroupsAllowed() bool {
	text, err := os.ReadFile("/proc/self/setgroups")
	return err != nil || strings.TrimSpace(string(text)) != "deny"
}

// appArmor is the file through which a profile is changed, empty without
// AppArmor. It has a place of its own since Linux 5.8.
func appArmor() string {
	on, err := os.ReadFile("/sys/module/apparmor/parameters/enabled")
	if err != nil || !strings.HasPrefix(string(on), "Y") {
		return ""
	}
	for _, path := range []string{"/proc/self/attr/apparmor/current", "/proc/self/attr/current"} {
		if exists(path) {
			return path
		}
	}
	return ""
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
