package install

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/containerd/errdefs"
)

// ContainerdConfig is containerd's configuration.
const ContainerdConfig = "/etc/containerd/config.toml"

// distribution is a Kubernetes distribution that carries its own containerd
// and writes that one's configuration from a template.
type distribution struct {
	name, dir, restart string
}

// distributions are told by the folder of their generated configuration (k3s
// and RKE2 documentation, "Configuring containerd").
var distributions = []distribution{
	{"k3s", "/var/lib/rancher/k3s/agent/etc/containerd", "restart k3s: systemctl restart k3s (or k3s-agent)"},
	{"RKE2", "/var/lib/rancher/rke2/agent/etc/containerd", "restart RKE2: systemctl restart rke2-server (or rke2-agent)"},
}

// target is a configuration to edit.
type target struct {
	path     string
	template bool
	version  int64
	restart  string
	data     []byte
	exists   bool
}

const restartContainerd = "restart containerd: systemctl restart containerd"

// Containerd makes containerd's CRI plugin know Wherry's runtimes. Its other
// clients find a shim on containerd's PATH without that.
func Containerd(ctx context.Context, o Options) error {
	shim, err := o.shim()
	if err != nil {
		return err
	}
	t, err := findTarget(ctx, o.Config)
	if err != nil {
		return err
	}
	after, names, err := withBlock(t.data, t.version, Names, t.template)
	if err != nil {
		return fmt.Errorf("%s: %w", t.path, err)
	}
	dir, err := o.binDir("containerd")
	if err != nil {
		return err
	}
	if err := o.install(shim, dir); err != nil {
		return err
	}
	c := change{path: t.path, before: t.data, existed: t.exists, after: after}
	if err := c.apply(func() error { return t.check(ctx) }); err != nil {
		return o.withdraw(dir, err)
	}
	if len(names) > 0 {
		fmt.Fprintf(o.Out, "%s: CRI runtimes %s\n", t.path, strings.Join(names, ", "))
	}
	fmt.Fprintf(o.Out, "%s, and give Kubernetes a RuntimeClass with handler %s\n", t.restart, Names[0])
	return remember("containerd", record{BinDir: dir, Change: c.record(), Restart: t.restart})
}

// UninstallContainerd takes back what Containerd did.
func UninstallContainerd(o Options) error {
	return o.uninstall("containerd", func(data, _ []byte) ([]byte, error) { return withoutBlock(data) })
}

// findTarget finds the configuration to edit and reads it.
func findTarget(ctx context.Context, path string) (t target, err error) {
	t = target{path: path, restart: restartContainerd}
	if path == "" {
		t.path = ContainerdConfig
		for _, d := range distributions {
			if generated, exists, err := readConfig(filepath.Join(d.dir, "config.toml")); err == nil && exists {
				return templateOf(d, generated)
			}
		}
	}
	t.template = strings.HasSuffix(t.path, ".tmpl")
	if t.data, t.exists, err = readConfig(t.path); err != nil {
		return t, err
	}
	switch {
	case t.template:
		t.version = 2
		if strings.Contains(filepath.Base(t.path), "-v3") {
			t.version = 3
		}
		if !t.exists {
			t.data = []byte(baseTemplate)
		}
	case len(t.data) == 0:
		if t.version, err = newestVersion(ctx); err != nil {
			return t, err
		}
		t.data = fmt.Appendf(nil, "version = %d\n", t.version)
	default:
		if t.version, err = configVersion(t.data); err != nil {
			return t, fmt.Errorf("%s: %w", t.path, err)
		}
	}
	return t, nil
}

// templateOf is the template of a distribution's configuration. containerd 2
// has one of its own, config-v3.toml.tmpl.
func templateOf(d distribution, generated []byte) (t target, err error) {
	t = target{template: true, restart: d.restart}
	if t.version, err = configVersion(generated); err != nil {
		return t, fmt.Errorf("%s: %w", filepath.Join(d.dir, "config.toml"), err)
	}
	name := "config.toml.tmpl"
	if t.version >= 3 {
		name = "config-v3.toml.tmpl"
	}
	t.path = filepath.Join(d.dir, name)
	if t.data, t.exists, err = readConfig(t.path); err == nil && !t.exists {
		t.data = []byte(baseTemplate)
	}
	return t, err
}

// newestVersion is the version of a configuration to be made: that which the
// containerd here knows.
func newestVersion(ctx context.Context) (int64, error) {
	version, err := containerdVersion(ctx, "containerd")
	if err != nil {
		return 0, fmt.Errorf("there is no configuration, and which version one should have cannot be told (%w): name one with --config", err)
	}
	if strings.HasPrefix(version, "1.") {
		return 2, nil
	}
	return 3, nil
}

// containerdVersion asks a program, which answers "containerd PACKAGE VERSION REVISION".
func containerdVersion(ctx context.Context, program string) (string, error) {
	out, err := exec.CommandContext(ctx, program, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("%s --version: %w", program, err)
	}
	fields := strings.Fields(string(out))
	if len(fields) < 3 {
		return "", fmt.Errorf("%s --version says %q: %w", program, strings.TrimSpace(string(out)), errdefs.ErrUnknown)
	}
	return strings.TrimPrefix(fields[2], "v"), nil
}

// check lets containerd itself read the configuration, if it is here.
func (t target) check(ctx context.Context) error {
	if t.template {
		return nil // only k3s and RKE2 can read it
	}
	containerd, err := exec.LookPath("containerd")
	if err != nil {
		return nil
	}
	// Its plugins make their folders where they are told to.
	cmd := exec.CommandContext(ctx, containerd, "--config", t.path, "config", "dump")
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("containerd does not take %s: %s: %w", t.path, lastLine(out), errdefs.ErrFailedPrecondition)
	}
	return nil
}
