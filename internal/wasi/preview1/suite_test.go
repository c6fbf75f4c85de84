//go:build linux

package preview1_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"wherry/internal/engine"
	"wherry/internal/engine/engines"
	"wherry/internal/wasi/host/tree"
	"wherry/internal/wasi/preview1"
)

// suiteVariable names the folder of a checkout of WebAssembly/wasi-testsuite,
// branch prod/testsuite-base. The suite is not part of this repository, so
// without the variable there is nothing to run.
const suiteVariable = "WASI_TESTSUITE"

// suiteCount is how many preview1 programs the suite has at least: finding
// fewer means that the variable names another folder.
const suiteCount = 72

// suiteCase is NAME.json beside NAME.wasm in the suite.
type suiteCase struct {
	Args   []string          `json:"args"`
	Root   string            `json:"root"`
	Env    map[string]string `json:"env"`
	Code   uint32            `json:"exit_code"`
	Stdout *string           `json:"stdout"`
	Stderr *string           `json:"stderr"`
}

// TestSuite runs the public WASI test suite on every engine of this build.
func TestSuite(t *testing.T) {
	dir := os.Getenv(suiteVariable)
	if dir == "" {
		t.Logf("%s is not set: the public suite was not run", suiteVariable)
		return
	}
	programs, err := filepath.Glob(filepath.Join(dir, "tests", "*", "testsuite", "wasm32-wasip1", "*.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	if len(programs) < suiteCount {
		t.Fatalf("%s=%s holds %d preview1 programs, want %d", suiteVariable, dir, len(programs), suiteCount)
	}
	for _, name := range engines.Names() {
		t.Run(name, func(t *testing.T) {
			e, err := engines.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { e.Close() })
			for _, program := range programs {
				t.Run(strings.TrimSuffix(filepath.Base(program), ".wasm"), func(t *testing.T) { runSuiteCase(t, e, program) })
			}
		})
	}
}

func runSuiteCase(t *testing.T, e engine.Engine, program string) {
	var c suiteCase
	if b, err := os.ReadFile(strings.TrimSuffix(program, ".wasm") + ".json"); err == nil {
		if err := json.Unmarshal(b, &c); err != nil {
			t.Fatal(err)
		}
	}
	wasm, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	var files *tree.Config
	if c.Root != "" { // without it the suite wants no descriptor 3
		files = &tree.Config{Root: filepath.Join(filepath.Dir(program), c.Root), Upper: t.TempDir()}
	}
	var env []string
	for k, v := range c.Env {
		env = append(env, k+"="+v)
	}
	sort.Strings(env)
	code, stdout, stderr := runProgram(t, e, wasm, files, preview1.Config{Args: append([]string{filepath.Base(program)}, c.Args...), Env: env})
	if code != c.Code {
		t.Errorf("exit code %d, want %d; stderr:\n%s", code, c.Code, stderr)
	}
	if c.Stdout != nil && stdout != *c.Stdout {
		t.Errorf("stdout %q, want %q", stdout, *c.Stdout)
	}
	if c.Stderr != nil && stderr != *c.Stderr {
		t.Errorf("stderr %q, want %q", stderr, *c.Stderr)
	}
}

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
