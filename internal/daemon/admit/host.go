package admit

import (
	"slices"
	"strings"
)

// hostRules has a row for every field of container.HostConfig outside
// Resources; a test holds that.
var hostRules = []rule{
	{field: "Binds"},
	{field: "ContainerIDFile", verdict: holds, why: "the client writes that file"},
	{field: "LogConfig", why: "see logging"},
	{field: "NetworkMode", why: "see network"},
	{field: "PortBindings"},
	{field: "RestartPolicy"},
	{field: "AutoRemove"},
	{field: "VolumeDriver", why: "local only"},
	{field: "VolumesFrom"},
	{field: "ConsoleSize"},
	{field: "Annotations"},

	{field: "CapAdd", verdict: refused, set: addsCapabilities,
		why: "--cap-add: a WebAssembly program makes no system calls, so a kernel capability beyond Docker's default set would give it nothing; leave the option out"},
	{field: "CapDrop", verdict: holds, why: "a guest has no capabilities to begin with"},
	{field: "CgroupnsMode", verdict: holds, why: "a guest sees no cgroups"},
	{field: "DNS"},
	{field: "DNSOptions", verdict: warns, set: func(r request) bool { return len(r.h.DNSOptions) > 0 },
		why: "--dns-option is not enforced: names are resolved by the engine, which reads no resolver options"},
	{field: "DNSSearch"},
	{field: "ExtraHosts"},
	{field: "GroupAdd", verdict: warns, set: func(r request) bool { return len(r.h.GroupAdd) > 0 },
		why: "--group-add is recorded but not enforced: WASI has no users or groups"},
	{field: "IpcMode", verdict: refused, set: func(r request) bool { return r.h.IpcMode.IsHost() || r.h.IpcMode.IsContainer() },
		why: "--ipc host and --ipc container:… cannot be had: WASI has no IPC objects to share"},
	{field: "Cgroup", verdict: refused, set: func(r request) bool { return r.h.Cgroup != "" },
		why: "a container's cgroup cannot be shared: the embedded engine runs without cgroup control"},
	{field: "Links", verdict: refused, set: func(r request) bool { return len(r.h.Links) > 0 },
		why: "--link: networks are not built yet; publish a port and use that"},
	{field: "OomScoreAdj", verdict: warns, set: func(r request) bool { return r.h.OomScoreAdj != 0 },
		why: "--oom-score-adj is not enforced by the embedded engine"},
	{field: "PidMode", verdict: refused, set: func(r request) bool { return r.h.PidMode != "" },
		why: "--pid: a WebAssembly program sees no processes, its own included; leave the option out"},
	{field: "Privileged", verdict: refused, set: func(r request) bool { return r.h.Privileged },
		why: "--privileged: a WebAssembly program reaches no kernel interface that the option would open; mount what it needs with -v instead"},
	{field: "PublishAllPorts"},
	{field: "ReadonlyRootfs"},
	{field: "SecurityOpt", verdict: refused, set: unknownSecurityOpt,
		why: "--security-opt: known are no-new-privileges, seccomp=…, apparmor=…, label=… and systempaths=…, and each is so for every WebAssembly program, which makes no system calls"},
	{field: "StorageOpt", verdict: refused, set: func(r request) bool { return len(r.h.StorageOpt) > 0 },
		why: "--storage-opt: a container's files lie in an ordinary folder, which has no such options"},
	{field: "Tmpfs"},
	{field: "UTSMode", verdict: refused, set: func(r request) bool { return r.h.UTSMode != "" },
		why: "--uts host: a WebAssembly program has only the host name it is given; use --hostname"},
	{field: "UsernsMode", verdict: refused, set: func(r request) bool { return r.h.UsernsMode != "" && !r.h.UsernsMode.IsHost() },
		why: "--userns: only host is known"},
	{field: "ShmSize", verdict: warns, set: func(r request) bool { return r.h.ShmSize != 0 },
		why: "--shm-size has no effect: WASI has no shared memory between processes"},
	{field: "Sysctls", verdict: refused, set: func(r request) bool { return len(r.h.Sysctls) > 0 },
		why: "--sysctl: a WebAssembly program has no kernel namespaces whose settings could be changed"},
	{field: "Runtime"},
	{field: "Umask", verdict: refused, set: func(r request) bool { return r.h.Umask != nil },
		why: "--umask: WASI gives files no permission bits, so there is nothing to mask"},
	{field: "Isolation", verdict: refused, set: func(r request) bool { return !r.h.Isolation.IsDefault() },
		why: "--isolation: only default is known"},
	{field: "Mounts"},
	{field: "MaskedPaths", verdict: holds, why: "a guest has no /proc"},
	{field: "ReadonlyPaths", verdict: holds, why: "a guest has no /proc"},
	{field: "Init", verdict: holds, why: "a guest is one process without children: there is nothing to reap, and signals end it"},
}

// dockerCapabilities are those that Docker grants without being asked. Asking
// for one of them changes nothing there, and nothing here.
var dockerCapabilities = []string{
	"AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD",
	"NET_BIND_SERVICE", "NET_RAW", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
}

func addsCapabilities(r request) bool {
	return slices.ContainsFunc(r.h.CapAdd, func(c string) bool {
		return !slices.Contains(dockerCapabilities, strings.TrimPrefix(strings.ToUpper(c), "CAP_"))
	})
}

func unknownSecurityOpt(r request) bool {
	return slices.ContainsFunc(r.h.SecurityOpt, func(o string) bool {
		key, value, ok := strings.Cut(o, "=")
		if !ok {
			key, value, _ = strings.Cut(o, ":")
		}
		switch key {
		case "no-new-privileges":
			return value != "" && value != "true" && value != "false"
		case "seccomp", "apparmor", "label", "systempaths":
			return false
		}
		return true
	})
}
