//go:build linux

package wall

import (
	"fmt"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"
)

// unconfined is AppArmor's word for no profile.
const unconfined = "unconfined"

// selinuxLabel is the file through which a process changes its label
// (proc_pid_attr(5)).
const selinuxLabel = "/proc/self/attr/current"

// openLabels opens the files of the security modules while there is a /proc.
func (b *builder) openLabels() error {
	p := b.spec.Process
	if p == nil {
		return nil
	}
	if p.ApparmorProfile != "" && (p.ApparmorProfile != unconfined || b.host.AppArmor != "") {
		if b.host.AppArmor == "" {
			return fmt.Errorf("the specification names the AppArmor profile %s, but this kernel runs without AppArmor: %w", p.ApparmorProfile, errdefs.ErrFailedPrecondition)
		}
		b.label(appArmorRegister, b.host.AppArmor, "take the AppArmor profile "+p.ApparmorProfile)
	}
	if p.SelinuxLabel != "" {
		if !b.host.SELinux {
			return fmt.Errorf("the specification names the SELinux label %s, but this kernel runs without SELinux: %w", p.SelinuxLabel, errdefs.ErrFailedPrecondition)
		}
		b.label(selinuxRegister, selinuxLabel, "take the SELinux label "+p.SelinuxLabel)
	}
	return nil
}

func (b *builder) label(r Register, path, what string) {
	b.call("openat", unix.SYS_OPENAT, what, cwd, str(path), num(unix.O_WRONLY|unix.O_CLOEXEC), num(0))
	b.kept(r)
}

// setLabels changes profile and label at once: the process is not executed
// again.
func (b *builder) setLabels() {
	for _, s := range b.plan.Steps {
		var text string
		switch s.Out {
		case appArmorRegister:
			text = "changeprofile " + b.spec.Process.ApparmorProfile
		case selinuxRegister:
			text = b.spec.Process.SelinuxLabel
		default:
			continue
		}
		b.call("write", unix.SYS_WRITE, s.What, reg(s.Out), str(text), num(len(text)))
		b.close(s.Out)
	}
}
