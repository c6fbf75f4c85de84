package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"wherry/internal/guest"
	"wherry/internal/sandbox/enter"
	"wherry/internal/sandbox/seccomp"
)

// Main is the main function of a container process, which is within its walls
// from here on. It takes its configuration from the control socket, runs the guest, tells the shim how it
// ended and gives the exit code.
func Main() int {
	if !enter.Run() {
		fmt.Fprintln(os.Stderr, "wherry: this is the container process; the shim starts it")
		return guest.ExitSetup
	}
	unix.CloseOnExec(controlFD)
	var shim control
	s, err := shim.take()
	if err != nil {
		fmt.Fprintln(os.Stderr, "wherry: the container process was not told what to run:", err)
		return guest.ExitSetup
	}
	seal := func() error { return seccomp.Seal(s.Seal) }
	res := guest.Run(context.Background(), s.Config, seal, func() error {
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

// Name sets the name of this process in lists such as top's: it was started as
// /proc/self/exe, and would be called exe.
func Name(name string) {
	// It is no more than a name.
	_ = os.WriteFile("/proc/self/comm", []byte(name), 0)
}
