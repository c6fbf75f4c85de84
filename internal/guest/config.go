//go:build linux

package guest

import (
	"wherry/internal/engine"
	"wherry/internal/wasi/host/socket"
	"wherry/internal/wasi/host/tree"
)

// Config is all that a guest is given. The shim hands it to the container
// process as JSON.
type Config struct {
	// Engine is an engine's name.
	Engine string `json:"engine"`
	// ModuleFD and CodeFD are descriptors of the module and of its compiled
	// code. So what was looked at is what runs, whatever becomes of the paths,
	// and a guest's process needs no way to either.
	ModuleFD int `json:"moduleFD"`
	CodeFD   int `json:"codeFD"`
	// CodePath is the compiled code's path. An engine maps a file by its path,
	// and where the process sees no procfs a descriptor has none. Empty where
	// there is procfs.
	CodePath string `json:"codePath,omitempty"`
	// Name is the module's path as the user knows it, for messages.
	Name string `json:"name,omitempty"`
	// Func is the exported function to call; empty is _start.
	Func string `json:"func,omitempty"`
	// Args and Env are the guest's arguments, its name first, and environment.
	Args []string `json:"args"`
	Env  []string `json:"env"`
	// Cwd is the working directory. Preview1 has none: it becomes PWD.
	Cwd string `json:"cwd,omitempty"`
	// Hostname is the guest's host name.
	Hostname string `json:"hostname,omitempty"`
	// Files and Net are what it reaches. NoFiles leaves out the first: the guest
	// then has no descriptor of a folder to begin with, so no working directory
	// and no CA bundle either.
	Files   tree.Config   `json:"files"`
	NoFiles bool          `json:"noFiles,omitempty"`
	Net     socket.Config `json:"net"`
	// Limits bound its memory and stack.
	Limits engine.Limits `json:"limits"`
	// Reserved is what the container's memory limit holds besides the guest's
	// memory, for the process around it, in bytes; 0 where it holds the
	// guest's memory alone. It is for messages.
	Reserved uint64 `json:"reserved,omitempty"`
}

// Result is how a guest ended.
type Result struct {
	// Code is the exit code: that of proc_exit, at most 255; 134 after a trap;
	// 125, 126 or 127 where the guest could not be started.
	Code int `json:"code"`
	// Reason is empty where the guest exited by itself; else one line.
	Reason string `json:"reason,omitempty"`
	// OutOfMemory tells that the guest ended at its memory limit; Reason says
	// so too.
	OutOfMemory bool `json:"outOfMemory,omitempty"`
	// Stale tells that the guest could not be started because the engine
	// refuses the compiled code, which must be made anew.
	Stale bool `json:"stale,omitempty"`
}

// Names say what names are to a guest.
type Names = socket.Names
