package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/common"
)

var (
	// errAnswered marks an error that came up after the answer began; the
	// client learns of it from the stream's end.
	errAnswered = errors.New("the answer had begun")
	// errMethod is a known path with another method.
	errMethod = errors.New("method not allowed")
)

// kinds maps what went wrong to an HTTP status. It is the only place where
// that is done.
var kinds = []struct {
	is     func(error) bool
	status int
}{
	{func(err error) bool { return errors.Is(err, errMethod) }, http.StatusMethodNotAllowed},
	{func(err error) bool { return errors.As(err, new(*http.MaxBytesError)) }, http.StatusRequestEntityTooLarge},
	{errdefs.IsNotModified, http.StatusNotModified},
	{errdefs.IsNotImplemented, http.StatusNotImplemented},
	{errdefs.IsInvalidArgument, http.StatusBadRequest},
	{errdefs.IsOutOfRange, http.StatusBadRequest},
	{errdefs.IsUnauthorized, http.StatusUnauthorized},
	{errdefs.IsPermissionDenied, http.StatusForbidden},
	{errdefs.IsNotFound, http.StatusNotFound},
	{errdefs.IsAlreadyExists, http.StatusConflict},
	{errdefs.IsConflict, http.StatusConflict},
	{errdefs.IsFailedPrecondition, http.StatusConflict},
	{errdefs.IsUnavailable, http.StatusServiceUnavailable},
	{errdefs.IsResourceExhausted, http.StatusInsufficientStorage},
	{func(err error) bool { return errors.Is(err, context.Canceled) }, 499}, // the client left; nginx's number
}

func statusOf(err error) int {
	for _, k := range kinds {
		if k.is(err) {
			return k.status
		}
	}
	return http.StatusInternalServerError
}

// classes are errdefs' own words at the end of a wrapped message; the status
// says the same, so they are left out of what people read. "permission denied"
// stays: clients choose exit code 126 by these words.
var classes = []error{
	errdefs.ErrNotModified, errdefs.ErrNotImplemented, errdefs.ErrInvalidArgument, errdefs.ErrOutOfRange,
	errdefs.ErrUnauthenticated, errdefs.ErrNotFound, errdefs.ErrAlreadyExists,
	errdefs.ErrConflict, errdefs.ErrFailedPrecondition, errdefs.ErrUnavailable, errdefs.ErrResourceExhausted,
	errdefs.ErrInternal, errdefs.ErrUnknown, errMethod,
}

func writeError(w http.ResponseWriter, status int, err error) {
	if status == http.StatusNotModified { // which has no body
		w.WriteHeader(status)
		return
	}
	writeJSON(w, status, common.ErrorResponse{Message: messageOf(err)})
}
