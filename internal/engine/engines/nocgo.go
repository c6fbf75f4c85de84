//go:build !(cgo && linux && (amd64 || arm64))

package engines

import (
	"fmt"

	"github.com/containerd/errdefs"

	"wherry/internal/engine/wazero"
)

var choices = []choice{{wazero.Name, openWazero}}

// ParseText turns a module in the text format into the binary format. Only
// wasmtime has a parser for it, and this build is without wasmtime.
func ParseText([]byte) ([]byte, error) {
	return nil, fmt.Errorf("this build has no parser for the text format (it is without wasmtime): convert the module to the binary format first: %w", errdefs.ErrNotImplemented)
}
