//go:build linux && daemons

package stock

import (
	"strings"
	"testing"
)

// A Linux image that comes to Wherry's runtime runs as under runc.
func testLinuxContainer(t *testing.T, e *engine) {
	out := e.Run(t, "run", "--rm", "--runtime=io.containerd.wherry.v1", nativeName, "ls", "/proc/self/ns", "exit", "0")
	if !strings.Contains(out, "pid_for_children") {
		t.Errorf("a Linux program saw %q", out)
	}
	out, code := e.Try(t, "run", "--rm", "--runtime=io.containerd.wherry.v1", nativeName, "exit", "7")
	if code != 7 {
		t.Errorf("exit code %d: %s", code, out)
	}
}
