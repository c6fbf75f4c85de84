package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

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
	res := guest.Run(context.Background(), s.Config, seal, func() (*guest.Names, error) {
		if err := shim.write(message{Ready: true}); err != nil {
			return nil, err
		}
		line, err := shim.line()
		if err != nil {
			return nil, err
		}
		return parseRun(line)
	})
	// If nobody is left to hear it, the exit code still tells.
	_ = shim.write(message{Result: &res})
	return res.Code
}

// runWord lets the guest run; behind it may be names as JSON.
const runWord = "run"

// parseRun reads what lets the guest run.
func parseRun(line string) (*guest.Names, error) {
	word, text, named := strings.Cut(line, " ")
	if word != runWord {
		return nil, errors.New("the shim said something else than run: " + line)
	}
	if !named {
		return nil, nil
	}
	names := &guest.Names{}
	if err := json.Unmarshal([]byte(text), names); err != nil {
		return nil, fmt.Errorf("the names that the shim gives: %w", err)
	}
	return names, nil
}

// Name sets the name of this process in lists such as top's: it was started as
// /proc/self/exe, and would be called exe.
func Name(name string) {
	// It is no more than a name.
	_ = os.WriteFile("/proc/self/comm", []byte(name), 0)
}
