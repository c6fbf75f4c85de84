//go:build cgo && linux && (amd64 || arm64)

package wasmtime

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"wherry/internal/engine"
	"wherry/internal/engine/enginetest"
)

// count runs the guest values.wat from compiled code.
func count(e *Engine, m engine.Module) error {
	st, err := e.NewStore(engine.Limits{})
	if err != nil {
		return err
	}
	defer st.Close()
	in, err := st.Instantiate(context.Background(), m, nil)
	if err != nil {
		return err
	}
	r, err := in.Call(context.Background(), "count", 10)
	if err != nil || r[0] != 10 {
		return fmt.Errorf("count gave %v, %v", r, err)
	}
	return nil
}

func writeCode(t *testing.T, m *Module) string {
	t.Helper()
	var b bytes.Buffer
	if err := m.Serialize(&b); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "code")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestFastCode: what is compiled with the settings for huge modules runs where
// it was compiled and loads in an engine with the ordinary ones.
func TestFastCode(t *testing.T) {
	e := New()
	defer e.Close()
	fast, err := e.compiler(hugeModule)
	if err != nil {
		t.Fatal(err)
	}
	ordinary, err := e.compiler(hugeModule - 1)
	if err != nil {
		t.Fatal(err)
	}
	if fast == ordinary {
		t.Fatal("a huge module is compiled like any other")
	}
	m, err := e.compileIn(fast, enginetest.Guest(t, "values"))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := count(e, m); err != nil {
		t.Error(err)
	}
	other := New()
	defer other.Close()
	loaded, err := other.Load(writeCode(t, m), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer loaded.Close()
	if err := count(other, loaded); err != nil {
		t.Error(err)
	}
	if e.Fingerprint() != other.Fingerprint() {
		t.Error("compiling a huge module changed the fingerprint")
	}
}

// TestOtherRelease: code whose ELF part names another release of wasmtime is
// refused by wasmtime itself.
func TestOtherRelease(t *testing.T) {
	e := New()
	defer e.Close()
	m, err := e.compile(enginetest.Guest(t, "values"))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	path := writeCode(t, m)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	major, _, _ := strings.Cut(Version, ".") // as its section .wasmtime.engine begins: 0, length, text
	changed := bytes.Replace(data, []byte("\x00\x02"+major), []byte("\x00\x0243"), 1)
	if bytes.Equal(changed, data) {
		t.Fatalf("compiled code does not name its release %s", major)
	}
	if err := os.WriteFile(path, changed, 0o600); err != nil {
		t.Fatal(err)
	}
	if m, err := e.Load(path, nil); !errors.Is(err, engine.ErrIncompatible) {
		t.Errorf("got %v, %v, want ErrIncompatible", m, err)
	}
}

// noexecVar holds the path of compiled code for the child of TestNoexec.
const noexecVar = "WASMTIME_TEST_NOEXEC"

// TestNoexec loads code from a file system that forbids to map it as code, in
// a child with a mount namespace of its own.
func TestNoexec(t *testing.T) {
	e := New()
	defer e.Close()
	m, err := e.compile(enginetest.Guest(t, "values"))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), noexecVar+"="+writeCode(t, m))
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, unix.EPERM) && os.Getenv("CI") != "true" {
		t.Skip("this machine gives no user namespaces")
	}
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func noexecChild(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	dir := filepath.Dir(path)
	if err := unix.Mount("none", dir, "tmpfs", unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return err
	}
	e := New()
	defer e.Close()
	m, err := e.Load(path, nil)
	if err != nil {
		return err
	}
	defer m.Close()
	return count(e, m)
}
