// Package wasmtime runs guests on wasmtime, by a thin cgo layer of our own on
// the C API of the archive that the module wasmtime-go carries.
//
// It exists beside wasmtime-go's own Go API for three reasons: host functions
// there are boxed and cost 380 to 570 ns a call, here about 50; objects there
// are freed by finalizers, here by Close; and compiled code is mapped from its
// file there only with the module's bytes at hand.
//
// The C declarations in capi_types.h and capi.h are ours, since cgo does not
// show one module's headers to another; a test compiles them against the real
// ones. The archive itself is linked by importing wasmtime-go for its LDFLAGS.
//
// The package knows nothing of WASI, images or containers. It is empty where
// there is no cgo or no archive; package engines tells.
package wasmtime
