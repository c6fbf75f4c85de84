// Package guest joins a program, an engine and the WASI host, and runs one
// guest to its end, in a process that is the guest's own.
//
// It must not know containers' states, nor who started the process.
package guest
