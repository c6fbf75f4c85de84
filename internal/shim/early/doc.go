//go:build linux

// Package early splits a shim's start in two before the Go runtime begins.
//
// containerd runs `shim start`, which has to leave a serving process behind and
// end. A Go program cannot fork, so by itself it runs the program once more,
// and the time that a program of this size takes to begin is spent twice in a
// row, and a third time for the container process. With cgo a C constructor,
// which runs while the process still has one thread, forks: the parent waits,
// without a runtime, for the word of the child; the child becomes the serving
// shim; and the container process begins beside it.
//
// Without cgo there is no such constructor; the shim then takes the long way.
//
// The package must not know what a shim serves, nor what a container process
// does. It is for the shim's program alone: what imports it forks when its last
// argument is "start".
package early

// StackBytes is the size of the threads' stacks in container processes, on
// which guests run. With less, a guest's stack overflow is a crash of the
// process in place of a trap.
const StackBytes = 8 << 20
