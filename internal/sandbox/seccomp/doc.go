// Package seccomp is the last wall around a guest: what its process may still
// ask of the kernel once everything is opened, loaded and instantiated.
//
// The kernel runs a small program (seccomp(2), BPF) before each system call. It
// sees the call's number and the bare values of its arguments. Of the calls
// that there are, the few in the table of calls.go pass, most of them with
// limits on their arguments; those that only an attacker would make end the
// process; every other one answers ENOSYS, so that a library which tries
// something new falls back to something old.
//
// What such a program cannot see is memory: no path, no socket address, no
// structure behind a pointer (openat2's, sendmsg's, clone3's). It tells a path
// relative to an open folder from one relative to the working directory, but
// not an absolute path from another. That is left to the jail, in which the
// host has no paths; to landlock, where there is no jail; and to the private
// network.
//
// The package knows no container and no guest. It must not be told what to let
// through: the table is the policy.
package seccomp
