package shim

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"

	"wherry/internal/shim/bundle"
	"wherry/internal/wasi/host/tree"
)

// fileTree is what a container's specification says of its files, but for the
// defaults.
func fileTree(s *spec, bundleDir string) (tree.Config, error) {
	cfg := tree.Config{Root: s.root, Upper: s.Annotations[bundle.Upper]}
	if s.Root != nil {
		cfg.ReadOnly = s.Root.Readonly
	}
	if cfg.Upper == "" && !s.embedded() && !cfg.ReadOnly {
		// Under containerd the root is the container's own to write, a mount
		// of a snapshot, from which containerd tells what changed.
		cfg.Own, cfg.Upper = true, filepath.Join(bundleDir, "upper")
	}
	for _, m := range s.Mounts {
		mount, ok, err := treeMount(m)
		if err != nil {
			return cfg, err
		}
		if ok {
			cfg.Mounts = append(cfg.Mounts, mount)
		}
	}
	return cfg, nil
}

// kernelFiles are file systems that guests do not get: they lead out of the
// sandbox, or mean nothing to a guest. The tree has its own /dev.
var kernelFiles = []string{"proc", "sysfs", "cgroup", "cgroup2", "devpts", "mqueue", "devtmpfs", "debugfs", "securityfs"}

// treeMount translates a mount; ok is false for those that guests do not get.
func treeMount(m specs.Mount) (_ tree.Mount, ok bool, err error) {
	t := tree.Mount{Target: m.Destination, ReadOnly: slices.Contains(m.Options, "ro")}
	switch {
	case slices.Contains(kernelFiles, m.Type):
		return t, false, nil
	case m.Type == "tmpfs":
		if m.Destination == "/dev" || strings.HasPrefix(m.Destination, "/sys/") || strings.HasPrefix(m.Destination, "/proc/") {
			return t, false, nil
		}
		t.Tmpfs = true
		for _, o := range m.Options {
			if text, found := strings.CutPrefix(o, "size="); found {
				if t.Size, err = size(text); err != nil {
					return t, false, fmt.Errorf("mount on %s: %w", m.Destination, err)
				}
			}
			if text, found := strings.CutPrefix(o, "mode="); found {
				mode, err := strconv.ParseUint(text, 8, 12)
				if err != nil {
					return t, false, fmt.Errorf("mount on %s: mode %q is not octal permission bits: %w", m.Destination, text, errdefs.ErrInvalidArgument)
				}
				t.Mode = uint32(mode)
			}
		}
		return t, true, nil
	case m.Type == "bind", m.Type == "none", m.Type == "",
		slices.Contains(m.Options, "bind"), slices.Contains(m.Options, "rbind"):
		if !strings.HasPrefix(m.Source, "/") {
			return t, false, fmt.Errorf("mount on %s: the source %q is not an absolute path: %w", m.Destination, m.Source, errdefs.ErrInvalidArgument)
		}
		info, err := os.Stat(m.Source)
		if err != nil {
			return t, false, fmt.Errorf("mount on %s: %w: %w", m.Destination, err, errdefs.ErrInvalidArgument)
		}
		t.Source, t.File = m.Source, !info.IsDir()
		return t, true, nil
	}
	return t, false, fmt.Errorf("mount on %s: a Wasm container takes bind and tmpfs mounts, not %s: %w", m.Destination, m.Type, errdefs.ErrInvalidArgument)
}

// size reads a tmpfs size: bytes, or with k, m or g behind.
func size(text string) (int64, error) {
	shift := 0
	number := text
	if n := len(text); n > 0 {
		if i := strings.IndexByte("kmg", text[n-1]|0x20); i >= 0 {
			shift, number = 10*(i+1), text[:n-1]
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > (1<<62)>>shift {
		return 0, fmt.Errorf("%q is no size: %w", text, errdefs.ErrInvalidArgument)
	}
	return n << shift, nil
}

// certificates are where Linux systems keep the CA bundle; guests look at the
// first.
var certificates = []string{
	"/etc/ssl/certs/ca-certificates.crt", // Debian, Alpine, Arch
	"/etc/pki/tls/certs/ca-bundle.crt",   // Fedora, RHEL
	"/etc/ssl/ca-bundle.pem",             // openSUSE
	"/etc/ssl/cert.pem",
}

// defaults are the files under /etc that a program expects of its system.
func defaults(hostname string, hosts map[string][]netip.Addr, dns []netip.AddrPort, search []string) []tree.DefaultFile {
	var table strings.Builder
	table.WriteString("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n")
	if _, named := hosts[hostname]; hostname != "" && !named {
		fmt.Fprintf(&table, "127.0.0.1\t%s\n", hostname)
	}
	names := make([]string, 0, len(hosts))
	for name := range hosts {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, a := range hosts[name] {
			fmt.Fprintf(&table, "%s\t%s\n", a, name)
		}
	}
	files := []tree.DefaultFile{
		{Path: "/etc/hosts", Data: []byte(table.String())},
		{Path: "/etc/hostname", Data: []byte(hostname + "\n")},
	}
	if len(dns)+len(search) == 0 {
		if _, err := os.Stat("/etc/resolv.conf"); err == nil {
			files = append(files, tree.DefaultFile{Path: "/etc/resolv.conf", Source: "/etc/resolv.conf"})
		}
	} else {
		var conf strings.Builder
		for _, a := range dns {
			fmt.Fprintf(&conf, "nameserver %s\n", a.Addr())
		}
		if len(search) > 0 {
			fmt.Fprintf(&conf, "search %s\n", strings.Join(search, " "))
		}
		files = append(files, tree.DefaultFile{Path: "/etc/resolv.conf", Data: []byte(conf.String())})
	}
	for _, path := range certificates {
		if _, err := os.Stat(path); err == nil {
			return append(files, tree.DefaultFile{Path: certificates[0], Source: path})
		}
	}
	return files
}
