package client

import (
	"errors"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/containerd/errdefs/pkg/errgrpc"
	"github.com/containerd/ttrpc"
	"google.golang.org/grpc/status"
)

// native gives an error of a call its class back. Its text is the shim's alone,
// since users read it.
func native(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, ttrpc.ErrClosed) || errors.Is(err, ttrpc.ErrServerClosed) {
		return unavailable{errors.New("the shim is gone")}
	}
	class := errgrpc.ToNative(err)
	st, ok := status.FromError(err)
	if !ok {
		return class
	}
	return shimError{strings.TrimSpace(st.Message()), class}
}

// shimError is an error that the shim answered.
type shimError struct {
	text  string
	class error
}

func (e shimError) Error() string { return e.text }
func (e shimError) Unwrap() error { return e.class }

// unavailable is the error of a shim that is not there.
type unavailable struct{ err error }

func (e unavailable) Error() string   { return e.err.Error() }
func (e unavailable) Unwrap() []error { return []error{e.err, errdefs.ErrUnavailable} }
