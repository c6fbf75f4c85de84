//go:build cgo && linux && (amd64 || arm64)

package wasmtime

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// output runs a program that is part of any machine that can build this.
func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

const upstream = "github.com/bytecodealliance/wasmtime-go/v44"

// TestDeclarations compiles capi.h and capi_types.h against wasmtime's headers.
func TestDeclarations(t *testing.T) {
	include := filepath.Join(output(t, "go", "list", "-m", "-f", "{{.Dir}}", upstream), "build", "include")
	cc := strings.Fields(output(t, "go", "env", "CC"))
	args := append(cc[1:], "-std=gnu11", "-fsyntax-only", "-Wall", "-Werror", "-Wno-strict-prototypes",
		"-I", include, "-I", ".", filepath.Join("testdata", "capi_check.c"))
	output(t, cc[0], args...)
}

// TestVersion holds Version to go.mod and to what the archive says of itself.
func TestVersion(t *testing.T) {
	if got := output(t, "go", "list", "-m", "-f", "{{.Version}}", upstream); got != "v"+Version {
		t.Errorf("go.mod has %s, Version is %s", got, Version)
	}
	header := filepath.Join(output(t, "go", "list", "-m", "-f", "{{.Dir}}", upstream), "build", "include", "wasmtime.h")
	if got := output(t, "grep", "define WASMTIME_VERSION ", header); !strings.Contains(got, `"`+Version+`"`) {
		t.Errorf("wasmtime.h has %s, Version is %s", got, Version)
	}
}
