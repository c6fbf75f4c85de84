// Package cgroup puts a process into a Linux control group and bounds it there:
// memory, processor time, tasks, block I/O, as the resources of an OCI
// specification ask. It knows both versions of cgroups, and both ways to them:
// the file system itself, and systemd over D-Bus.
//
// It must not know what runs in the group, nor who asked for it: containers,
// engines and shims are strangers here.
package cgroup
