//go:build linux

package preview1_test

import (
	"context"
	"errors"
	"io"
	"os"
	"testing"

	"wherry/internal/engine"
	"wherry/internal/wasi/host/tree"
	"wherry/internal/wasi/preview1"
)

// runProgram runs a command to its end, with nothing on stdin.
func runProgram(t *testing.T, e engine.Engine, wasm []byte, files *tree.Config, c preview1.Config) (code uint32, stdout, stderr string) {
	t.Helper()
	if files != nil {
		root, err := tree.New(*files)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		c.Root = root
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	out, errOut := capture(t), capture(t)
	c.Stdin, c.Stdout, c.Stderr = int(null.Fd()), int(out.Fd()), int(errOut.Fd())
	h, err := preview1.New(c)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	err = callStart(e, wasm, h.Resolve)
	var exit *preview1.ExitError
	if errors.As(err, &exit) {
		code, err = exit.Code, nil
	}
	stdout, stderr = read(t, out), read(t, errOut)
	if err != nil {
		t.Fatalf("%v\nstderr:\n%s", err, stderr)
	}
	return code, stdout, stderr
}

func callStart(e engine.Engine, wasm []byte, resolve engine.Resolver) error {
	ctx := context.Background()
	m, err := e.Compile(ctx, wasm)
	if err != nil {
		return err
	}
	defer m.Close()
	s, err := e.NewStore(engine.Limits{})
	if err != nil {
		return err
	}
	defer s.Close()
	i, err := s.Instantiate(ctx, m, resolve)
	if err != nil {
		return err
	}
	_, err = i.Call(ctx, "_start")
	return err
}

// capture is a file to collect output in, as a pipe could fill up.
func capture(t *testing.T) *os.File {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "out")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func read(t *testing.T, f *os.File) string {
	t.Helper()
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
