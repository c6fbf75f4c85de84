// Package sandbox is the container process: a child of the shim that runs one
// guest. [Start] makes it, from the shim's side; [Main] is its own main
// function, since the shim's program is run again for it.
//
// It holds what stands around a guest on Linux: a process of its own, in its
// own session, without new privileges, that dies with its shim. It must not
// know containerd's protocol, nor what a guest is made of.
package sandbox
