//go:build linux

// Package enter runs a container process's plan (package wall) in that process.
//
// Most of what closes a process in is the kernel's affair per thread or wants a
// process with one thread: joining a user namespace, credentials, landlock. A
// Go program has several from its first moment. With cgo a C constructor reads
// the plan and runs it while there is one thread, and what begins afterwards,
// Go's runtime included, is inside already. Without cgo, Go runs the same plan
// as the first thing of main, on all threads where a step concerns a thread;
// the namespaces are then made by whoever starts the process.
//
// A plan comes over descriptor 3 and is answered there; the form of both is
// told in package wall. What imports the package does so when its first
// argument is "guest".
//
// The package must not know what a plan is for.
package enter
