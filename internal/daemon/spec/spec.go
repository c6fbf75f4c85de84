// Package spec writes the OCI runtime specification from which a shim makes a
// container: standard fields where the standard has them, annotations for what
// only a WebAssembly container has.
//
// It must not know shims, nor the records of other containers.
package spec

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/moby/api/types/mount"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"wherry/internal/daemon/admit"
	"wherry/internal/daemon/record"
	"wherry/internal/shim/bundle"
)

// Places are the host paths that a container's parts have.
type Places struct {
	// Upper is the container's own level of files, Log its log (empty: none),
	// Cache the compiled code.
	Upper, Log, Cache string
	// ModuleDigest is the program's digest, if it is sure.
	ModuleDigest string
	// Sources are the mounts' host paths by destination.
	Sources map[string]string
}

// defaultPath is what Docker gives every Linux container.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// New makes the specification of a container.
func New(c *record.Container, p Places) (*specs.Spec, error) {
	annotations, err := annotate(c, p)
	if err != nil {
		return nil, err
	}
	s := &specs.Spec{
		Version:  specs.Version,
		Hostname: c.Config.Hostname, Domainname: c.Config.Domainname,
		Root: &specs.Root{Path: c.Image.Tree, Readonly: c.HostConfig.ReadonlyRootfs},
		Process: &specs.Process{
			Terminal: c.Config.Tty,
			Args:     append([]string{c.Path}, c.Args...),
			Env:      Env(c),
			Cwd:      "/",
			User:     user(c.Config.User),
		},
		Annotations: annotations,
		Linux:       &specs.Linux{},
	}
	if c.Config.WorkingDir != "" {
		s.Process.Cwd = c.Config.WorkingDir
	}
	if size := c.HostConfig.ConsoleSize; c.Config.Tty && size[0] > 0 && size[1] > 0 {
		s.Process.ConsoleSize = &specs.Box{Height: size[0], Width: size[1]}
	}
	if c.HostConfig.Memory > 0 {
		limit := c.HostConfig.Memory
		s.Linux.Resources = &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &limit}}
	}
	for _, u := range c.HostConfig.Ulimits {
		s.Process.Rlimits = append(s.Process.Rlimits, specs.POSIXRlimit{
			Type: "RLIMIT_" + strings.ToUpper(u.Name), Soft: uint64(u.Soft), Hard: uint64(u.Hard), // -1 is no limit in both
		})
	}
	for _, m := range c.Mounts {
		s.Mounts = append(s.Mounts, mountOf(m, p.Sources[m.Destination]))
	}
	return s, nil
}

func mountOf(m record.Mount, source string) specs.Mount {
	access := "rw"
	if !m.RW {
		access = "ro"
	}
	if m.Type == mount.TypeTmpfs {
		options := []string{"nosuid", "nodev", access}
		if m.Size > 0 {
			options = append(options, "size="+strconv.FormatInt(m.Size, 10))
		}
		if m.TmpfsMode != 0 {
			options = append(options, "mode="+strconv.FormatUint(uint64(m.TmpfsMode), 8))
		}
		return specs.Mount{Destination: m.Destination, Type: "tmpfs", Source: "tmpfs", Options: options}
	}
	return specs.Mount{Destination: m.Destination, Type: "bind", Source: source, Options: []string{"rbind", access}}
}

// Env is the guest's environment: Docker's own variables, over which the
// image's and the request's win.
func Env(c *record.Container) []string {
	env := []string{"PATH=" + defaultPath, "HOSTNAME=" + c.Config.Hostname}
	if c.Config.Tty {
		env = append(env, "TERM=xterm")
	}
	for _, e := range c.Config.Env {
		key, _, set := strings.Cut(e, "=")
		at := slices.IndexFunc(env, func(o string) bool { return strings.HasPrefix(o, key+"=") })
		switch {
		case !set && at >= 0: // a bare NAME takes the variable away
			env = slices.Delete(env, at, at+1)
		case !set:
		case at >= 0:
			env[at] = e
		default:
			env = append(env, e)
		}
	}
	if !slices.ContainsFunc(env, func(e string) bool { return strings.HasPrefix(e, "HOME=") }) {
		env = append(env, "HOME=/")
	}
	return env
}

// user reads the numbers of --user UID[:GID]. Names stay a note in Username:
// nobody looks them up, because WASI has no users.
func user(s string) specs.User {
	u := specs.User{Username: s}
	uid, gid, _ := strings.Cut(s, ":")
	if n, err := strconv.ParseUint(uid, 10, 32); err == nil {
		u.UID = uint32(n)
	}
	if n, err := strconv.ParseUint(gid, 10, 32); err == nil {
		u.GID = uint32(n)
	}
	return u
}

// Write makes a bundle: the folder and the specification in it.
func Write(dir string, s *specs.Spec) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := bundle.Write(dir, bundle.Config, s); err != nil {
		return fmt.Errorf("write the bundle: %w", err)
	}
	return nil
}

func asJSON(v any) (string, error) {
	b, err := json.Marshal(v)
	return string(b), err
}

// engineOf is the engine that a runtime's name asks for; empty leaves the
// choice to the shim.
func engineOf(runtime string) string {
	switch short := admit.ShortRuntime(runtime); short {
	case "wasmtime", "wazero":
		return short
	default:
		return ""
	}
}
