// Package sandbox is the container process: a child of the shim that runs one
// guest. [Start] makes it, from the shim's side; [Main] is its own main
// function, since the shim's program is run again for it.
//
// It holds what stands around a guest on Linux: a process of its own, in its
// own session, without new privileges, that dies with its shim, and that sees
// nothing of the host but the parts that its guest was given. [Enclose] says
// which (package wall), the process builds it around itself before anything
// else (package enter), and seals itself before the guest runs (package
// seccomp). The package must not know containerd's protocol, nor what a guest
// is made of.
package sandbox
