package sandbox

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"wherry/internal/sandbox/wall"
)

// kernelTypes are the file systems through which a process steers the kernel,
// other processes or hardware, by the names of mountinfo. Package tree refuses
// them too, by their numbers.
var kernelTypes = map[string]bool{
	"proc": true, "sysfs": true, "cgroup": true, "cgroup2": true, "debugfs": true, "tracefs": true,
	"devpts": true, "devtmpfs": true, "securityfs": true, "bpf": true, "selinuxfs": true, "smackfs": true,
	"efivarfs": true, "pstore": true, "nsfs": true, "binfmt_misc": true, "binder": true, "resctrl": true,
	"xenfs": true, "mqueue": true, "configfs": true, "fusectl": true, "rpc_pipefs": true, "nfsd": true,
	"functionfs": true, "gadgetfs": true, "zonefs": true,
}

// mountFlags are the options of mountinfo that a remount has to name again.
var mountFlags = map[string]uintptr{
	"ro": unix.MS_RDONLY, "nosuid": unix.MS_NOSUID, "nodev": unix.MS_NODEV, "noexec": unix.MS_NOEXEC,
}

// mountedBelow lists what is mounted at a folder and below it, outer ones
// first. The folder's own entry says with which flags its mount was made.
func mountedBelow(dir string) ([]wall.Mounted, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("ask what is mounted below %s: %w", dir, err)
	}
	defer f.Close()
	list, at := []wall.Mounted{{}}, ""
	for lines := bufio.NewScanner(f); ; {
		if !lines.Scan() {
			return list, lines.Err()
		}
		// 36 35 98:0 /root /point rw,noatime master:1 - ext4 /dev/root rw
		before, after, ok := strings.Cut(lines.Text(), " - ")
		fields := strings.Fields(before)
		if !ok || len(fields) < 6 {
			return nil, fmt.Errorf("ask what is mounted below %s: mountinfo has the line %q", dir, lines.Text())
		}
		kind, _, _ := strings.Cut(after, " ")
		point := unescape(fields[4])
		m := wall.Mounted{Kernel: kernelTypes[kind]}
		for option := range strings.SplitSeq(fields[5], ",") {
			m.Flags |= mountFlags[option]
		}
		switch {
		case within(dir, point) && len(point) >= len(at):
			at, list[0].Flags = point, m.Flags // the mount that the folder lies in
		case within(point, dir):
			m.Path = strings.TrimPrefix(strings.TrimPrefix(point, dir), "/")
			list = append(list, m)
		}
	}
}

// within tells whether a clean path is dir or lies below it.
func within(path, dir string) bool {
	return path == dir || dir == "/" || strings.HasPrefix(path, dir+"/")
}

// unescape reads mountinfo's octal escapes (proc_pid_mountinfo(5)).
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
