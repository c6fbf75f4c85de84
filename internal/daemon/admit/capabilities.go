package admit

import (
	"slices"
	"strings"

	"wherry/internal/daemon/fault"
)

// capabilities are the kernel's, see capabilities(7), in its order and without
// the prefix CAP_.
var capabilities = strings.Fields(`
	CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE
	NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN
	SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE
	MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE`)

// defaultCapabilities are those that Docker grants without being asked (moby,
// daemon/pkg/oci/caps/defaults.go).
var defaultCapabilities = strings.Fields(`
	CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL
	AUDIT_WRITE`)

// grantable are the capabilities that a container process may have at all: a
// guest makes no system calls, so what is left is whose files it may use and
// which ports it may bind. The wall drops the others, whoever asks.
var grantable = []string{"CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "NET_BIND_SERVICE"}

// Capabilities applies --cap-add and --cap-drop to Docker's default set, by
// Docker's rules, and answers names such as CAP_CHOWN. A name that is none is
// errdefs.ErrInvalidArgument.
func Capabilities(add, drop []string) ([]string, error) {
	add, err := capabilityNames(add)
	if err != nil {
		return nil, err
	}
	if drop, err = capabilityNames(drop); err != nil {
		return nil, err
	}
	var kept []string
	switch {
	case slices.Contains(add, "ALL"): // wins over a drop of all
		kept = without(capabilities, drop)
	case slices.Contains(drop, "ALL"):
		kept = add
	default:
		kept = append(without(defaultCapabilities, drop), add...)
	}
	full := []string{}
	for _, c := range kept {
		if name := "CAP_" + c; !slices.Contains(full, name) {
			full = append(full, name)
		}
	}
	return full, nil
}

// Granted are those of a set of capabilities that a container process gets.
func Granted(set []string) []string {
	got := []string{}
	for _, c := range grantable {
		if slices.Contains(set, "CAP_"+c) {
			got = append(got, "CAP_"+c)
		}
	}
	return got
}

// capabilityNames checks names, with CAP_ before them or not, and in any case.
func capabilityNames(names []string) ([]string, error) {
	short := make([]string, len(names))
	for i, n := range names {
		short[i] = strings.TrimPrefix(strings.ToUpper(n), "CAP_")
		if short[i] != "ALL" && !slices.Contains(capabilities, short[i]) {
			return nil, fault.Invalid("unknown capability: %q (see capabilities(7); ALL is all of them)", n)
		}
	}
	return short, nil
}

func without(all, drop []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(c string) bool { return slices.Contains(drop, c) })
}

// addsMore tells whether capabilities are asked for that no container process
// gets and that Docker would give: beyond its defaults, that is.
func addsMore(r request) bool {
	return slices.ContainsFunc(r.h.CapAdd, func(c string) bool {
		c = strings.TrimPrefix(strings.ToUpper(c), "CAP_")
		return !slices.Contains(defaultCapabilities, c)
	})
}
