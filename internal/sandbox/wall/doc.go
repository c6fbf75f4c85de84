//go:build linux

// Package wall says how a container process is closed in: it turns an OCI
// runtime specification and a list of host paths into a plan, a list of system
// calls that the process makes on itself before the Go runtime begins in it.
//
// All policy is here and is plain data: what a plan holds can be read, compared
// and tested without running it. Package enter runs plans and knows none of
// their meaning.
//
// The package must not make a system call, read a file, or know what a guest
// is.
package wall
