package admit

import (
	"strings"

	"wherry/internal/daemon/fault"
)

// DefaultRuntime is the runtime that is taken where none was named.
const DefaultRuntime = "io.containerd.wherry.v1"

// Runtimes are the known runtimes' names in Docker's documented form; each has
// a short name, "wasmtime" for "io.containerd.wasmtime.v1".
var Runtimes = []string{
	DefaultRuntime, "io.containerd.wasmedge.v1", "io.containerd.wasmtime.v1", "io.containerd.wazero.v1",
}

// Runtime answers the full name of a runtime, or errdefs.ErrInvalidArgument in
// Docker's words.
func Runtime(name string) (string, error) {
	if name == "" {
		return DefaultRuntime, nil
	}
	for _, r := range Runtimes {
		if name == r || name == ShortRuntime(r) {
			return r, nil
		}
	}
	return "", fault.Invalid("unknown or invalid runtime name: %s (known are %s)", name, strings.Join(Runtimes, ", "))
}

// ShortRuntime is a runtime's short name.
func ShortRuntime(name string) string {
	return strings.TrimSuffix(strings.TrimPrefix(name, "io.containerd."), ".v1")
}
