//go:build cgo && linux && (amd64 || arm64)

package wasmtime

// wasmtime-go's LDFLAGS name the archive inside its own module, wherever the
// module cache is, and the Go linker adds the LDFLAGS of every package it
// links. So the import is all that is needed, and no path of a machine is.
import _ "github.com/bytecodealliance/wasmtime-go/v44"

// Version is the wasmtime release whose archive is linked.
const Version = "44.0.0"
