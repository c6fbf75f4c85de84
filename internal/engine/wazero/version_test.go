package wazero

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
)

// TestVersion holds Version to go.mod.
func TestVersion(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Version}}", "github.com/tetratelabs/wazero").CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	if got := strings.TrimSpace(string(out)); got != "v"+Version {
		t.Errorf("go.mod has %s, Version is %s", got, Version)
	}
}

// TestHook: the cache object of this wazero release can be hooked, and another
// object is refused rather than trusted.
func TestHook(t *testing.T) {
	if _, err := hook(wazero.NewCompilationCache()); err != nil {
		t.Error(err)
	}
	if _, err := hook(nil); err == nil {
		t.Error("nil was hooked")
	}
}
