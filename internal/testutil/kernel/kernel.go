//go:build linux

// Package kernel is what tests need of the machine's kernel, and ask it about
// processes. It must know nothing of Wherry.
package kernel

import (
	"fmt"
	"os"
	"testing"
)

// NeedRoot ends a test that this user cannot run: as skipped, but as failed in
// CI, which is root's.
func NeedRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() == 0 {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("this test needs root")
	}
	t.Skip("this test needs root")
}

// Namespace names the namespace of a kind, such as "net", that a process is in
// (namespaces(7)).
func Namespace(t testing.TB, pid int, kind string) string {
	t.Helper()
	link, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, kind))
	if err != nil {
		t.Fatal(err)
	}
	return link
}
