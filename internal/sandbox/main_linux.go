package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"wherry/internal/guest"
)

// Main is the main function of a container process. It takes its
// configuration from the control socket, runs the guest, tells the shim how it
// ended and gives the exit code.
func Main() int {
	unix.CloseOnExec(controlFD)
	control := os.NewFile(controlFD, "control")
	dec := json.NewDecoder(control)
	var cfg guest.Config
	if err := dec.Decode(&cfg); err != nil {
		fmt.Fprintln(os.Stderr, "wherry: this is the container process; the shim starts it:", err)
		return 125
	}
	enc := json.NewEncoder(control)
	ready := func() error {
		if err := enc.Encode(message{Ready: true}); err != nil {
			return err
		}
		// What follows the configuration's line is the shim's word to start;
		// its end means that the shim is gone.
		rest := io.MultiReader(dec.Buffered(), control)
		return awaitRun(rest)
	}
	res := guest.Run(context.Background(), cfg, ready)
	if err := enc.Encode(message{Result: &res}); err != nil {
		// Nobody is left to hear it but whoever waits for this process.
		return res.Code
	}
	return res.Code
}

// awaitRun reads up to the line that lets the guest run.
func awaitRun(r io.Reader) error {
	var line []byte
	for b := make([]byte, 1); ; {
		n, err := r.Read(b)
		if n == 1 && b[0] == '\n' && len(line) > 0 {
			break
		}
		if n == 1 && b[0] != '\n' {
			line = append(line, b[0])
		}
		if err != nil {
			return fmt.Errorf("wait for the shim's start: %w", err)
		}
	}
	if string(line) != "run" {
		return errors.New("the shim said something else than run: " + string(line))
	}
	return nil
}
