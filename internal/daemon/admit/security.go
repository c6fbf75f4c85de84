package admit

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/moby/api/types/container"

	"wherry/internal/daemon/fault"
)

// Security is what --security-opt asks for.
type Security struct {
	// Seccomp is a profile in Docker's JSON, empty for none of the user's own.
	Seccomp string
	// AppArmor is a profile's name, empty for the process's own.
	AppArmor string
	// warnings are what the options get a user told.
	warnings []string
}

const securityOptions = "known are no-new-privileges, seccomp=FILE, apparmor=PROFILE, label=disable and systempaths=unconfined"

// SecurityOf reads --security-opt, as Docker writes it: KEY=VALUE, or KEY:VALUE
// from old clients. What cannot be had is errdefs.ErrInvalidArgument.
func SecurityOf(h *container.HostConfig) (Security, error) {
	var s Security
	for _, o := range h.SecurityOpt {
		key, value, ok := strings.Cut(o, "=")
		if !ok {
			key, value, ok = strings.Cut(o, ":")
		}
		switch {
		case o == "no-new-privileges" || o == "disable": // the latter: old for label=disable
			continue
		case !ok || value == "":
			return s, fault.Invalid("invalid --security-opt %q: %s", o, securityOptions)
		}
		if err := s.read(key, value); err != nil {
			return s, err
		}
	}
	return s, nil
}

func (s *Security) read(key, value string) error {
	switch key {
	case "no-new-privileges":
		on, err := strconv.ParseBool(value)
		if err != nil {
			return fault.Invalid("invalid --security-opt no-new-privileges=%s: want true or false", value)
		}
		if !on {
			s.warnings = append(s.warnings, "--security-opt no-new-privileges=false has no effect: a container's process never gets new privileges")
		}
	case "seccomp":
		switch value {
		case "builtin", "default":
		case "unconfined":
			s.warnings = append(s.warnings, "--security-opt seccomp=unconfined has no effect: the built-in filter always stands; a profile of your own is applied besides")
		default:
			if !json.Valid([]byte(value)) {
				return fault.Invalid("invalid --security-opt seccomp=%s: want builtin, unconfined or a profile in JSON", shorten(value))
			}
			s.Seccomp = value
		}
	case "apparmor":
		s.AppArmor = value
	case "label":
		if value != "disable" {
			return fault.Invalid("--security-opt label=%s: SELinux labels of the embedded engine's containers are not built; only label=disable is known, and containerd or Docker give labels to the shim", value)
		}
	case "systempaths":
		if value != "unconfined" {
			return fault.Invalid("invalid --security-opt systempaths=%s: want unconfined", value)
		}
	default:
		return fault.Invalid("invalid --security-opt %q: %s", key+"="+shorten(value), securityOptions)
	}
	return nil
}

// shorten keeps a message to one line.
func shorten(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}

// security checks --security-opt and answers its warnings.
func security(h *container.HostConfig, m func() Machine) ([]string, error) {
	s, err := SecurityOf(h)
	if err != nil {
		return nil, err
	}
	if s.AppArmor != "" && s.AppArmor != "unconfined" && !m().AppArmor {
		s.warnings = append(s.warnings, "--security-opt apparmor="+s.AppArmor+" is not enforced: this kernel has no AppArmor, or it is switched off")
	}
	return s.warnings, nil
}

// sysctls admits the settings of namespaces that a container has to itself, by
// the rules of runc (libcontainer/configs/validate). The network is the host's
// own, in which the WASI host keeps containers apart, but for --network none.
func sysctls(c *container.Config, h *container.HostConfig) error {
	for _, key := range slices.Sorted(maps.Keys(h.Sysctls)) {
		name := strings.ReplaceAll(key, "/", ".")
		switch {
		case strings.HasPrefix(name, "fs.mqueue."), slices.Contains(ipcSysctls, name):
		case name == "kernel.domainname":
			// As a file it is the one of --domainname.
			return fault.Invalid("--sysctl %s: use --domainname", key)
		case name == "kernel.hostname":
			return fault.Invalid("--sysctl %s: use --hostname", key)
		case !strings.HasPrefix(name, "net."):
			return fault.Invalid("--sysctl %s is not allowed: it is no setting of a namespace, so it would change the whole machine", key)
		case NetworkModeOf(c, h) != "none":
			return fault.Invalid("--sysctl %s is not allowed: a container's network is kept apart by the WASI host, in the host's own network namespace, so it would change the whole machine; only --network none has a namespace to itself", key)
		}
		if strings.Contains(key, "..") || strings.ContainsAny(key, "\x00\n") || strings.ContainsRune(h.Sysctls[key], 0) {
			return fault.Invalid("--sysctl %q: invalid name or value", key)
		}
	}
	return nil
}

// ipcSysctls are those of the ipc namespace.
var ipcSysctls = strings.Fields(`
	kernel.msgmax kernel.msgmnb kernel.msgmni kernel.sem kernel.shmall kernel.shmmax kernel.shmmni kernel.shm_rmid_forced`)
