//go:build cgo && linux && (amd64 || arm64)

package wasmtime

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"wherry/internal/engine"
	"wherry/internal/engine/enginetest"
)

// shortStackVar makes the test binary the child of TestShortStack.
const shortStackVar = "WASMTIME_TEST_SHORT_STACK"

// TestShortStack: under a stack limit that is far less than a guest's stack,
// a guest that overflows still ends in a trap, not in a SIGSEGV of the process,
// and host calls work.
func TestShortStack(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", `ulimit -s 256 && exec "$0"`, program)
	cmd.Env = append(os.Environ(), shortStackVar+"=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func shortStackChild() error {
	e := New()
	defer e.Close()
	ctx := context.Background()
	st, err := e.NewStore(engine.Limits{StackBytes: 4 << 20})
	if err != nil {
		return err
	}
	defer st.Close()
	run := func(guest, export string, params ...uint64) error {
		wasm, err := enginetest.ReadGuest(guest)
		if err != nil {
			return err
		}
		m, err := e.Compile(ctx, wasm)
		if err != nil {
			return err
		}
		defer m.Close()
		in, err := st.Instantiate(ctx, m, func(im engine.Import) (engine.Extern, bool) {
			return &engine.HostFunc{Type: im.Type.Func, Call: func(_ engine.Caller, stack []uint64) error {
				if im.Name == "exit" {
					return fmt.Errorf("exit: %w", os.ErrProcessDone)
				}
				return nil
			}}, true
		})
		if err != nil {
			return err
		}
		_, err = in.Call(ctx, export, params...)
		return err
	}
	var trap *engine.Trap
	for range 3 {
		if err := run("traps", "stack"); !errors.As(err, &trap) || trap.Code != engine.TrapStackOverflow {
			return fmt.Errorf("a stack overflow gave %v", err)
		}
		if err := run("host", "exit deep", 10_000, 0); !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("a deep exit gave %v", err)
		}
		if err := run("hostcall", "run", 100_000); err != nil {
			return err
		}
	}
	return nil
}
