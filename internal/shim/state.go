//go:build linux

package shim

import (
	"fmt"

	"github.com/containerd/errdefs"
)

// status is where a container is in its life.
type status int

const (
	// creating: its module is looked for, compiled and instantiated.
	creating status = iota
	// created: the process lives, its guest waits.
	created
	running
	paused
	stopped
	// deleted: nothing is left but this word, for those who still hold it.
	deleted
)

var statusNames = [...]string{"being created", "created", "running", "paused", "stopped", "deleted"}

func (s status) String() string { return statusNames[s] }

// operation is a request that only some statuses allow.
type operation int

const (
	opStart operation = iota
	opPause
	opResume
	opKill
	opDelete
	opResize
	opCloseIO
	opStats
	opUpdate
	opExec
)

var operationNames = [...]string{"start", "pause", "resume", "kill", "delete", "resize the terminal of", "close the input of", "measure", "update", "exec in"}

func (o operation) String() string { return operationNames[o] }

// allowed is the table of a container's life: what may be asked of it when.
var allowed = [...][]operation{
	creating: {opKill},
	created:  {opStart, opKill, opDelete, opResize, opCloseIO, opStats, opUpdate},
	running:  {opPause, opKill, opResize, opCloseIO, opStats, opUpdate, opExec},
	paused:   {opResume, opKill, opResize, opCloseIO, opStats, opUpdate},
	stopped:  {opDelete, opCloseIO},
	deleted:  {},
}

// check tells whether a container may be asked something now. The error is
// ErrNotFound where the container's process has ended, for that is what those
// who stop a container expect, and ErrFailedPrecondition elsewhere.
func (s status) check(op operation) error {
	for _, a := range allowed[s] {
		if a == op {
			return nil
		}
	}
	if (s == stopped && op == opKill) || s == deleted {
		return fmt.Errorf("cannot %s the container: process already finished: %w", op, errdefs.ErrNotFound)
	}
	return fmt.Errorf("cannot %s a container that is %s: %w", op, s, errdefs.ErrFailedPrecondition)
}
