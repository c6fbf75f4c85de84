package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"wherry/internal/guest"
)

// Main is the main function of a container process. It takes its
// configuration from the control socket, runs the guest, tells the shim how it
// ended and gives the exit code.
func Main() int {
	unix.CloseOnExec(controlFD)
	var shim control
	cfg, err := shim.take()
	if err != nil {
		fmt.Fprintln(os.Stderr, "wherry: this is the container process; the shim starts it:", err)
		return guest.ExitSetup
	}
	res := guest.Run(context.Background(), cfg, func() error {
		if err := shim.write(message{Ready: true}); err != nil {
			return err
		}
		word, err := shim.line()
		if err == nil && word != "run" {
			err = errors.New("the shim said something else than run: " + word)
		}
		return err
	})
	// If nobody is left to hear it, the exit code still tells.
	_ = shim.write(message{Result: &res})
	return res.Code
}
