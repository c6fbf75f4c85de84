package enginetest

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"testing"

	"wherry/internal/engine"
)

// loopVar in the environment makes the test binary a child that runs a looping
// guest beside a garbage collection.
const loopVar = "ENGINETEST_LOOP"

// Main is the TestMain of packages that call Run.
func Main(m *testing.M, s Subject) {
	if os.Getenv(loopVar) != "" {
		if err := s.loop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// loop says "looping" once the guest does, then collects garbage, then says
// "collected" if it ever gets there.
func (s Subject) loop() error {
	wasm, err := ReadGuest("loop")
	if err != nil {
		return err
	}
	e, err := s.Open()
	if err != nil {
		return err
	}
	m, err := e.Compile(ctx, wasm)
	if err != nil {
		return err
	}
	st, err := e.NewStore(engine.Limits{})
	if err != nil {
		return err
	}
	running, failed := make(chan struct{}), make(chan error)
	x := externs{"running": &engine.HostFunc{Call: func(engine.Caller, []uint64) error {
		close(running)
		return nil
	}}}
	in, err := st.Instantiate(ctx, m, x.resolve)
	if err != nil {
		return err
	}
	go func() {
		_, err := in.Call(ctx, "loop")
		failed <- fmt.Errorf("the loop ended: %v", err)
	}()
	select {
	case <-running:
	case err := <-failed:
		return err
	}
	fmt.Println("looping")
	runtime.GC()
	fmt.Println("collected")
	return <-failed
}

// looping: a guest that never returns dies with its process, whatever the
// engine; and the collector goes on beside it, or the engine is known to
// freeze. The parent here is another process, as the shim is.
func (s Subject) looping(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), loopVar+"=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	killed := false
	defer func() {
		if !killed {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	}()
	lines := bufio.NewScanner(out)
	want := []string{"looping", "collected"}
	if s.Freezes {
		want = want[:1]
	}
	for _, w := range want {
		if !lines.Scan() || lines.Text() != w {
			t.Fatalf("the child said %q, want %q (%v)", lines.Text(), w, lines.Err())
		}
	}
	killed = true
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil || err.Error() != "signal: killed" {
		t.Errorf("the child ended with %v, want signal: killed", err)
	}
}
