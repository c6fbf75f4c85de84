//go:build cgo && linux && (amd64 || arm64)

package engines

import (
	"wherry/internal/engine"
	"wherry/internal/engine/wasmtime"
	"wherry/internal/engine/wazero"
)

var choices = []choice{
	{wasmtime.Name, func() (engine.Engine, error) { return wasmtime.New(), nil }},
	{wazero.Name, openWazero},
}

// ParseText turns a module in the text format into the binary format.
func ParseText(wat []byte) ([]byte, error) { return wasmtime.ParseText(wat) }
