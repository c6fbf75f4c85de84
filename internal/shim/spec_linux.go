package shim

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"

	"wherry/internal/sandbox/wall"
	"wherry/internal/shim/bundle"
)

// spec is a container's specification with what the shim reads out of it.
type spec struct {
	specs.Spec
	// root is the host folder of the root file system.
	root string
}

// readSpec reads config.json of a bundle. What every container needs is there
// afterwards: a process with arguments, and a root.
func readSpec(dir string) (*spec, error) {
	path := filepath.Join(dir, bundle.Config)
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the container's specification: %w", err)
	}
	s := &spec{}
	if err := json.Unmarshal(data, &s.Spec); err != nil {
		return nil, fmt.Errorf("%s is not an OCI specification: %w: %w", path, err, errdefs.ErrInvalidArgument)
	}
	if s.Process == nil || len(s.Process.Args) == 0 {
		return nil, fmt.Errorf("%s has no process.args: %w", path, errdefs.ErrInvalidArgument)
	}
	if s.embedded() {
		s.complete()
	}
	for name, value := range s.Annotations {
		if err := bundle.CheckAnnotation(name, value); err != nil {
			return nil, fmt.Errorf("%w: %w", err, errdefs.ErrInvalidArgument)
		}
	}
	if s.Root != nil {
		s.root = s.Root.Path
		if s.root != "" && !filepath.IsAbs(s.root) {
			s.root = filepath.Join(dir, s.root)
		}
	}
	return s, nil
}

// embedded tells whether the embedded engine wrote the specification: it says
// where the container's own files, log and network are, at least one of them.
func (s *spec) embedded() bool {
	for _, k := range []string{bundle.Upper, bundle.LogPath, bundle.Network} {
		if s.Annotations[k] != "" {
			return true
		}
	}
	return false
}

// complete asks for the walls that the embedded engine means where its
// specification does not speak of them.
func (s *spec) complete() {
	if s.Linux == nil {
		s.Linux = &specs.Linux{}
	}
	if len(s.Linux.Namespaces) == 0 {
		for _, t := range []specs.LinuxNamespaceType{specs.MountNamespace, specs.IPCNamespace, specs.UTSNamespace, specs.PIDNamespace} {
			s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: t})
		}
	}
	if s.Process.Capabilities == nil {
		s.Process.Capabilities = &specs.LinuxCapabilities{Effective: wall.Allowed()}
	}
}

// annotation decodes an annotation's JSON; where it is missing v stays as it
// is.
func (s *spec) annotation(key string, v any) error {
	text := s.Annotations[key]
	if text == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(text), v); err != nil {
		return fmt.Errorf("annotation %s is %q: %w: %w", key, text, err, errdefs.ErrInvalidArgument)
	}
	return nil
}

// number reads an annotation that is a number, 0 where it is missing.
func (s *spec) number(key string) (int64, error) {
	text := s.Annotations[key]
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("annotation %s is %q, wanted a number: %w", key, text, errdefs.ErrInvalidArgument)
	}
	return n, nil
}

// runtimes are engines by the middle part of a runtime's name. wasmedge runs on
// the default engine, with WasmEdge's socket ABI.
var runtimes = map[string]string{"wasmtime": "wasmtime", "wazero": "wazero"}

// engine is the name of the engine to use, empty for the default: as annotated,
// or as the runtime's name or this program's own says (io.containerd.X.v1,
// containerd-shim-X-v1).
func (s *spec) engine(program string) string {
	if e := s.Annotations[bundle.Engine]; e != "" {
		return e
	}
	if parts := strings.Split(s.Annotations[bundle.Runtime], "."); len(parts) > 1 {
		return runtimes[parts[len(parts)-2]]
	}
	if parts := strings.Split(filepath.Base(program), "-"); len(parts) > 1 {
		return runtimes[parts[len(parts)-2]]
	}
	return ""
}

// memoryLimit is the limit in bytes, 0 for none.
func (s *spec) memoryLimit() uint64 {
	if s.Linux == nil || s.Linux.Resources == nil || s.Linux.Resources.Memory == nil {
		return 0
	}
	if l := s.Linux.Resources.Memory.Limit; l != nil && *l > 0 {
		return uint64(*l)
	}
	return 0
}

// name is the container's name for messages.
func (s *spec) name(id string) string {
	if n := s.Annotations[bundle.Name]; n != "" {
		return strings.TrimPrefix(n, "/")
	}
	return id
}

// env gives a variable of the guest's environment.
func (s *spec) env(key string) string {
	for _, kv := range s.Process.Env {
		if k, v, ok := strings.Cut(kv, "="); ok && k == key {
			return v
		}
	}
	return ""
}
