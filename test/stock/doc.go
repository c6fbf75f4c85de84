// Package stock drives Wherry's shim through stock containerd and Docker
// Engine, with their own clients. It needs root, and the build tag daemons.
package stock
