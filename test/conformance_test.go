//go:build linux && conformance

package test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"wherry/internal/engine/engines"
	"wherry/internal/shim/bundle"
	"wherry/internal/shim/client"
	"wherry/internal/testutil/wherry"
)

// suiteVariable names the folder of a checkout of WebAssembly/wasi-testsuite,
// branch prod/testsuite-base, which is only read.
const suiteVariable = "WASI_TESTSUITE"

// suiteCount is how many preview1 programs the suite has at least: finding
// fewer means that the variable names another folder.
const suiteCount = 72

// programTimeout bounds one program, its compilation included.
const programTimeout = 2 * time.Minute

// expectation is NAME.json beside NAME.wasm in the suite, what it calls the
// legacy configuration (doc/specification.md there). Where Root is empty the
// program must find no folder open.
type expectation struct {
	Args   []string          `json:"args"`
	Root   string            `json:"root"`
	Env    map[string]string `json:"env"`
	Code   int               `json:"exit_code"`
	Stdout *string           `json:"stdout"`
	Stderr *string           `json:"stderr"`
}

// TestConformance runs the public WASI test suite, each program in a container
// of its own on each engine, and prints how many passed. The containers are
// begun as the embedded engine does it, but from specifications of the test's
// own: an image's environment always has PATH and HOSTNAME, and the suite
// counts variables.
func TestConformance(t *testing.T) {
	dir := os.Getenv(suiteVariable)
	if dir == "" {
		t.Fatalf("%s is not set; want the folder of a checkout of github.com/WebAssembly/wasi-testsuite, branch prod/testsuite-base", suiteVariable)
	}
	programs, err := filepath.Glob(filepath.Join(dir, "tests", "*", "testsuite", "wasm32-wasip1", "*.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	if len(programs) < suiteCount {
		t.Fatalf("%s=%s has %d programs in tests/*/testsuite/wasm32-wasip1, want at least %d; is it a checkout of branch prod/testsuite-base?", suiteVariable, dir, len(programs), suiteCount)
	}
	shim, cache := filepath.Join(wherry.Programs(t), "containerd-shim-wherry-v1"), t.TempDir()
	for _, engine := range engines.Names() {
		var failed []string
		for _, program := range programs {
			name := strings.TrimSuffix(filepath.Base(program), ".wasm")
			if err := conform(t, shim, engine, cache, program); err != nil {
				language := filepath.Base(filepath.Dir(filepath.Dir(filepath.Dir(program))))
				failed = append(failed, fmt.Sprintf("  %s/%s: %v", language, name, err))
			}
		}
		fmt.Printf("%s %d/%d\n", engine, len(programs)-len(failed), len(programs))
		if len(failed) > 0 {
			fmt.Println(strings.Join(failed, "\n"))
			t.Fail()
		}
	}
}

// conform runs one program and says how it missed what was expected of it.
func conform(t *testing.T, shim, engine, cache, program string) error {
	var want expectation
	data, err := os.ReadFile(strings.TrimSuffix(program, ".wasm") + ".json")
	if err == nil {
		err = json.Unmarshal(data, &want)
	}
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	// A short path: the shim's socket is below it.
	dir, err := os.MkdirTemp("", "wherry-suite-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	spec, err := specification(dir, program, &want)
	if err != nil {
		return err
	}
	spec.Annotations[bundle.Engine], spec.Annotations[bundle.Cache] = engine, cache

	ctx, cancel := context.WithTimeout(t.Context(), programTimeout)
	defer cancel()
	code, err := contain(ctx, shim, dir, spec)
	if err != nil {
		return err
	}
	stdout, stderr, err := logged(filepath.Join(dir, "log.json"))
	switch {
	case err != nil:
		return err
	case code != want.Code:
		return fmt.Errorf("exit code %d, want %d; stderr %q", code, want.Code, strings.TrimSpace(stderr))
	case want.Stdout != nil && stdout != *want.Stdout:
		return fmt.Errorf("stdout %q, want %q", stdout, *want.Stdout)
	case want.Stderr != nil && stderr != *want.Stderr:
		return fmt.Errorf("stderr %q, want %q", stderr, *want.Stderr)
	}
	return nil
}

// specification describes a program's container, with its folder's files
// copied to be the image's.
func specification(dir, program string, want *expectation) (*specs.Spec, error) {
	root := filepath.Join(dir, "root")
	spec := &specs.Spec{
		Version: specs.Version,
		Process: &specs.Process{Args: append([]string{filepath.Base(program)}, want.Args...), Cwd: "/"},
		Root:    &specs.Root{Path: root},
		Annotations: map[string]string{
			bundle.Module:  program,
			bundle.Upper:   filepath.Join(dir, "upper"),
			bundle.LogPath: filepath.Join(dir, "log.json"),
			bundle.Network: "none",
		},
	}
	for k, v := range want.Env {
		spec.Process.Env = append(spec.Process.Env, k+"="+v)
	}
	slices.Sort(spec.Process.Env)
	if want.Root == "" {
		spec.Annotations[bundle.Files] = bundle.NoFiles
		return spec, os.Mkdir(root, 0o755)
	}
	return spec, os.CopyFS(root, os.DirFS(filepath.Join(filepath.Dir(program), want.Root)))
}

// contain runs a container to its end and gives its exit code. Nothing of it is
// left but its log.
func contain(ctx context.Context, program, dir string, spec *specs.Spec) (code int, err error) {
	folder := filepath.Join(dir, "bundles", "suite")
	data, err := json.Marshal(spec)
	if err == nil {
		err = os.MkdirAll(folder, 0o700)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, bundle.Config), data, 0o600)
	}
	if err != nil {
		return 0, err
	}
	s, err := client.Start(ctx, client.Options{Program: program, Bundle: folder, Address: filepath.Join(dir, "docker.sock")})
	if err != nil {
		return 0, err
	}
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), programTimeout)
		defer cancel()
		_ = s.Kill(end, int(unix.SIGKILL)) // it has ended, unless it hangs
		_, _ = s.Delete(end)               // nothing is there where Create failed
		if e := s.Shutdown(end); err == nil {
			err = e
		}
		_ = s.Close()
	}()
	if _, err := s.Create(ctx); err != nil {
		return 0, err
	}
	if err := s.Start(ctx); err != nil {
		return 0, err
	}
	end, err := s.Wait(ctx)
	return end.Code, err
}

// logged reads a container's output from its log, in Docker's json-file form.
func logged(path string) (stdout, stderr string, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", "", err
	}
	for line := range bytes.Lines(data) {
		var entry struct{ Log, Stream string }
		if err := json.Unmarshal(line, &entry); err != nil {
			return "", "", err
		}
		if entry.Stream == "stdout" {
			stdout += entry.Log
		} else {
			stderr += entry.Log
		}
	}
	return stdout, stderr, nil
}
