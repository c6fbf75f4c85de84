package test

import (
	"os"
	"testing"
)

// write makes a file of a build context or a mounted folder.
func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
