package spec

import (
	"github.com/moby/profiles/seccomp"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"wherry/internal/daemon/admit"
	"wherry/internal/daemon/fault"
	"wherry/internal/daemon/record"
	"wherry/internal/daemon/users"
)

// linux is what Linux puts around the container's process.
func linux(c *record.Container, p Places, caps *specs.LinuxCapabilities) (*specs.Linux, error) {
	l := &specs.Linux{Namespaces: namespaces(admit.NetworkModeOf(c.Config, c.HostConfig)), Sysctl: c.HostConfig.Sysctls}
	if err := limits(l, c, p.Machine); err != nil {
		return nil, err
	}
	security, err := admit.SecurityOf(c.HostConfig)
	if err != nil {
		return nil, err
	}
	if security.Seccomp != "" {
		// Docker's profiles have conditions on capabilities and kernels, which
		// are decided here.
		l.Seccomp, err = seccomp.LoadProfile(security.Seccomp, &specs.Spec{Process: &specs.Process{Capabilities: caps}})
		if err != nil {
			return nil, fault.Invalid("--security-opt seccomp: %w", err)
		}
	}
	return l, nil
}

// namespaces are those that every container has to itself. The embedded
// engine's networks live in the WASI host, so the process needs the host's
// sockets, but where there is to be no network. A user namespace, where the
// engine's user needs one, is the shim's affair.
func namespaces(network string) []specs.LinuxNamespace {
	list := []specs.LinuxNamespace{
		{Type: specs.MountNamespace}, {Type: specs.IPCNamespace}, {Type: specs.UTSNamespace}, {Type: specs.PIDNamespace},
	}
	if network == "none" {
		list = append(list, specs.LinuxNamespace{Type: specs.NetworkNamespace})
	}
	return list
}

// Confine puts the walls of every container around a guest that is none, such
// as one of a build's RUN.
func Confine(s *specs.Spec, name string, id users.Identity) error {
	set, err := admit.Capabilities(nil, nil)
	if err != nil {
		return err
	}
	s.Process.User = userOf(name, id)
	s.Process.NoNewPrivileges = true
	s.Process.Capabilities = capabilities(set, id.UID)
	s.Linux = &specs.Linux{Namespaces: namespaces("private")}
	return nil
}

// limits writes what is asked for and can be had. Memory is written in any
// case: the guest's engine bounds it.
func limits(l *specs.Linux, c *record.Container, m func() admit.Machine) error {
	r := c.HostConfig.Resources
	if !admit.Limited(r) {
		return nil
	}
	machine := m()
	held, cgroup := admit.Enforced(r, machine)
	var err error
	if l.Resources, err = Resources(held); err != nil {
		return err
	}
	if cgroup {
		l.CgroupsPath = machine.CgroupPath(held.CgroupParent, c.ID)
	}
	return nil
}
