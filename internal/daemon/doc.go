// Package daemon is the embedded engine: containers, images, volumes and
// events, and what outlives its process.
//
// It starts shims as containerd would and asks them for the truth; it must not
// know HTTP, nor how a guest is run.
package daemon
