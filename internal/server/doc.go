// Package server runs the embedded engine as a process: its lock, its socket,
// the API over the daemon, and an orderly end. It must know nothing of what the
// two do.
package server
