//go:build linux

// Package pathless takes every path from a process that compiles: landlock(7)
// with rights over nothing. What is open stays usable.
//
// Landlock is an affair of each thread, and a Go program has several from its
// first moment. With cgo a C constructor does it while there is one thread, in
// a program whose first argument is "compile"; without cgo, Go asks the kernel
// on all threads. It must not know what the process does.
package pathless
