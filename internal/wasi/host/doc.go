// Package host is what a guest can reach beside files and sockets: clocks,
// random bytes, the three standard streams, and waiting for any of them.
//
// All of it works on raw descriptors in the calling thread: nothing here starts
// a goroutine, because a guest in a loop may hold up every other goroutine of
// the process. The package knows no WASI numbers (preview1 maps them), no
// engine and no guest memory layout: it is given byte slices that have already
// been checked.
package host
