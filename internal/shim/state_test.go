//go:build linux

package shim

import (
	"slices"
	"testing"

	"github.com/containerd/errdefs"
)

func TestStatusTable(t *testing.T) {
	ops := []operation{opStart, opPause, opResume, opKill, opDelete, opResize, opCloseIO, opStats, opUpdate, opExec}
	if len(ops) != len(operationNames) || len(statusNames) != len(allowed) {
		t.Fatal("a status or an operation has no name")
	}
	for s := creating; s <= deleted; s++ {
		for _, op := range ops {
			err := s.check(op)
			switch {
			case slices.Contains(allowed[s], op):
				if err != nil {
					t.Errorf("%s of a container that is %s: %v", op, s, err)
				}
			case s == deleted, s == stopped && op == opKill:
				if !errdefs.IsNotFound(err) {
					t.Errorf("%s of a container that is %s: %v, want ErrNotFound", op, s, err)
				}
			default:
				if !errdefs.IsFailedPrecondition(err) {
					t.Errorf("%s of a container that is %s: %v, want ErrFailedPrecondition", op, s, err)
				}
			}
		}
	}
}

// A life that a container may have, and steps that it may not take.
func TestLives(t *testing.T) {
	if created.check(opPause) == nil || running.check(opStart) == nil || running.check(opDelete) == nil ||
		paused.check(opPause) == nil || stopped.check(opStart) == nil || creating.check(opDelete) == nil {
		t.Error("the table allows what makes no sense")
	}
	if created.check(opStart) != nil || running.check(opPause) != nil || paused.check(opResume) != nil ||
		paused.check(opKill) != nil || stopped.check(opDelete) != nil || creating.check(opKill) != nil {
		t.Error("the table forbids an ordinary life")
	}
}
