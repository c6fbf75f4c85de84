//go:build linux

package sandbox

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/containerd/errdefs"

	"wherry/internal/guest"
	"wherry/internal/guest/code"
)

// The test's program is run again as container process and as compiler, as the
// shim's is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "guest":
			if os.Args[2] == lookout {
				os.Exit(lookAround())
			}
			os.Exit(Main())
		case "compile":
			os.Exit(code.Main(os.Args[2:], os.Stdout, os.Stderr, SealCompiler))
		}
	}
	os.Exit(m.Run())
}

func TestNoExitCodeIsLost(t *testing.T) {
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			want := i % 128
			c, err := StartChild(exec.Command("/bin/sh", "-c", "exit "+strconv.Itoa(want)))
			if err != nil {
				t.Error(err)
				return
			}
			if st := c.Status(); st.Code != want || st.Signal != 0 || st.At.IsZero() {
				t.Errorf("child %d: %+v", i, st)
			}
		}()
	}
	wg.Wait()
}

func TestChild(t *testing.T) {
	out, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd := exec.Command("/bin/sh", "-c", "grep NoNewPrivs /proc/self/status; kill -STOP $$")
	cmd.Stdout = out
	c, err := StartChild(cmd)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-c.Done():
		t.Fatal("a stopped child counts as ended")
	default:
	}
	if err := c.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if st := c.Status(); st.Signal != syscall.SIGKILL || st.Code != 137 {
		t.Errorf("status = %+v", st)
	}
	if err := c.Signal(0); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("a signal to the dead gave %v", err)
	}
	if _, err := StartChild(exec.Command("/nowhere/at/all")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing program gave %v", err)
	}
	// This process keeps the privileges that its children lose.
	status, err := os.ReadFile("/proc/self/status")
	if err != nil || !strings.Contains(string(status), "NoNewPrivs:\t0") {
		t.Errorf("this thread lost its privileges too: %v", err)
	}
}

// An empty module with an empty _start.
const silent = "\x00asm\x01\x00\x00\x00\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x07\x0a\x01\x06_start\x00\x00\x0a\x04\x01\x02\x00\x0b"

// compileSilent compiles it and gives the files of module and code.
func compileSilent(t *testing.T) (module, compiled string) {
	t.Helper()
	dir := t.TempDir()
	module, compiled = filepath.Join(dir, "m.wasm"), filepath.Join(dir, "m.code")
	if err := os.WriteFile(module, []byte(silent), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := compileFile(t, t.Context(), module, compiled); err != nil {
		t.Fatal(err)
	}
	return module, compiled
}

func compileFile(t *testing.T, ctx context.Context, module, compiled string) error {
	t.Helper()
	in, err := os.Open(module)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.Create(compiled)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	return Compile(ctx, "", in, out)
}

// command describes a container process of a module.
func command(t *testing.T, engine, module, compiled string) Command {
	t.Helper()
	c := Command{Name: "x", Config: guest.Config{Engine: engine, Args: []string{"x"}, ModuleFD: 0, CodeFD: 1}}
	for _, path := range []string{module, compiled} {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		c.Files = append(c.Files, f)
	}
	return c
}

func TestStartAndRun(t *testing.T) {
	module, compiled := compileSilent(t)
	p, err := Start(t.Context(), command(t, "", module, compiled))
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.Done():
		t.Fatal("the guest ran before it was told to")
	default:
	}
	if err := p.Run(); err != nil {
		t.Fatal(err)
	}
	if res := p.Result(); res != (guest.Result{}) {
		t.Errorf("result = %+v", res)
	}
}

func TestStartFails(t *testing.T) {
	module, compiled := compileSilent(t)
	other := filepath.Join(t.TempDir(), "other.code")
	if err := os.WriteFile(other, []byte("not compiled code at all, by any engine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		cmd   Command
		class error
	}{
		"engine": {command(t, "steam", module, compiled), errdefs.ErrInvalidArgument},
		"code":   {command(t, "", module, other), ErrStaleCode},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Start(t.Context(), c.cmd)
			if !errors.Is(err, c.class) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want one line of class %v", err, c.class)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Start(ctx, command(t, "", module, compiled)); !errors.Is(err, context.Canceled) {
		t.Errorf("a start that nobody waits for gave %v", err)
	}
}

func TestCompileFails(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.wasm")
	// A function body that leaves a value on the stack.
	if err := os.WriteFile(bad, []byte(strings.Replace(silent, "\x0a\x04\x01\x02\x00\x0b", "\x0a\x06\x01\x04\x00\x41\x00\x0b", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	err := compileFile(t, t.Context(), bad, filepath.Join(dir, "out"))
	if !errdefs.IsInvalidArgument(err) || strings.Contains(err.Error(), "\n") {
		t.Errorf("an invalid module gave %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := compileFile(t, ctx, bad, filepath.Join(dir, "out")); !errors.Is(err, context.Canceled) {
		t.Errorf("a compile that nobody waits for gave %v", err)
	}
	if fp, err := Fingerprint(t.Context(), ""); err != nil || fp == "" || strings.ContainsAny(fp, "/\n") {
		t.Errorf("fingerprint = %q, %v", fp, err)
	}
	if _, err := Fingerprint(t.Context(), "steam"); err == nil {
		t.Error("an unknown engine has a fingerprint")
	}
}
