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
	"strconv"

	"github.com/moby/moby/api/types/mount"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"wherry/internal/daemon/admit"
	"wherry/internal/daemon/record"
	"wherry/internal/daemon/users"
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
	// User is whom the container's user is in its image.
	User users.Identity
	// Machine is asked where a setting depends on it.
	Machine func() admit.Machine
}

// New makes the specification of a container.
func New(c *record.Container, p Places) (*specs.Spec, error) {
	annotations, err := annotate(c, p)
	if err != nil {
		return nil, err
	}
	s := &specs.Spec{
		Version:  specs.Version,
		Hostname: c.Config.Hostname, Domainname: c.Config.Domainname,
		Root:        &specs.Root{Path: c.Image.Tree, Readonly: c.HostConfig.ReadonlyRootfs},
		Annotations: annotations,
	}
	if s.Process, err = process(c, p); err != nil {
		return nil, err
	}
	if s.Linux, err = linux(c, p, s.Process.Capabilities); err != nil {
		return nil, err
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

// Engine is the engine that a runtime's name asks for; empty leaves the choice
// to the shim.
func Engine(runtime string) string {
	switch short := admit.ShortRuntime(runtime); short {
	case "wasmtime", "wazero":
		return short
	default:
		return ""
	}
}
