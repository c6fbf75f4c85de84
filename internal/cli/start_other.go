//go:build !linux

package cli

import "errors"

// start has nothing to start here.
func (e *engine) start() error { return errNeedsLinux }

var errNeedsLinux = errors.New("the embedded engine needs Linux: set WHERRY_HOST to the address of an engine that runs there, such as ssh://user@machine")
