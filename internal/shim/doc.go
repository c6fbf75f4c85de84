// Package shim serves containerd's task API for Wasm containers: it makes
// container processes, keeps their streams and says how they ended. One shim
// serves one container, or those of one pod.
//
// It keeps containerd's shim protocol (core/runtime/v2/README.md in containerd)
// as containerd 1.7 to 2.4 speak it. It must not know images' formats beyond
// what internal/image tells it, nor anything of the embedded engine but the
// annotations of package bundle.
package shim
