// Package delegate has another project's shim run a container: a Linux
// container that came to Wherry's runtime, such as a pod's sidecar, is run by
// containerd's own shim for runc, and Wherry's passes the calls on.
//
// So a Linux container gets exactly what it gets beside Wherry, in the version
// that this machine has, and what is needed for that is not carried by every
// WebAssembly container. The package must not know what the calls mean, but for
// those that end a container where Wherry's shim has died.
package delegate
