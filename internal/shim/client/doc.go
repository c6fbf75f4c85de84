// Package client starts shims, as containerd does, and speaks the task API with
// them. It is the embedded engine's side of the protocol.
//
// It must not know how a shim runs a container, nor what the engine keeps about
// one.
package client
