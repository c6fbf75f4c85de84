// Package stream is where a container's standard streams lead: containerd's
// pipes and files, or the embedded engine's log and attached clients; with or
// without a terminal.
//
// It moves bytes. It must not know containers' states, nor the task API.
package stream
