// Package fault makes errors whose words are for people and whose class is for
// programs. Wrapping errdefs' errors with %w would add their own words to each
// line ("…: not found"); Docker's clients and users know the lines without.
//
// It must not know HTTP.
package fault

import (
	"errors"
	"fmt"

	"github.com/containerd/errdefs"
)

type fault struct {
	msg          string
	class, cause error
}

func (f *fault) Error() string { return f.msg }

func (f *fault) Unwrap() []error {
	if f.cause == nil {
		return []error{f.class}
	}
	return []error{f.class, f.cause}
}

// New makes an error of class, one of errdefs' values. format is fmt.Errorf's,
// with at most one %w.
func New(class error, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	return &fault{msg: err.Error(), class: class, cause: errors.Unwrap(err)}
}

// Invalid is an error of what was asked: errdefs.ErrInvalidArgument.
func Invalid(format string, args ...any) error {
	return New(errdefs.ErrInvalidArgument, format, args...)
}

// NotFound is errdefs.ErrNotFound.
func NotFound(format string, args ...any) error {
	return New(errdefs.ErrNotFound, format, args...)
}

// Conflict is an error of the state of things: errdefs.ErrConflict.
func Conflict(format string, args ...any) error {
	return New(errdefs.ErrConflict, format, args...)
}

// NotBuilt is errdefs.ErrNotImplemented.
func NotBuilt(format string, args ...any) error {
	return New(errdefs.ErrNotImplemented, format, args...)
}
