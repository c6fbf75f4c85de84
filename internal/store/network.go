package store

import (
	"errors"
	"net"
	"net/http"

	remoteerrors "github.com/containerd/containerd/v2/core/remotes/errors"
)

// isNetwork reports whether an error came from the network while data moved,
// or from a server that asks to come again. A name that does not resolve or a
// port that refuses fails at once: users wait for that answer.
func isNetwork(err error) bool {
	var status remoteerrors.ErrUnexpectedStatus
	if errors.As(err, &status) {
		return status.StatusCode == http.StatusTooManyRequests || status.StatusCode >= 500 && status.StatusCode != http.StatusNotImplemented
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Op != "dial"
	}
	return false
}
