//go:build linux

package daemon

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"
)

// A record can't be written, as on a full disk: nothing that was there suffers.
func TestRecordsSurviveAFailedWrite(t *testing.T) {
	m := newMachine(t)
	d := m.boot()
	id := create(t, d, "web", nil)
	c := d.containers[id]
	dir := d.records.Dir(id)
	// A folder where the record should go makes every write of it fail.
	path := dir + "/container.json"
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path, path+".kept"); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(path+"/in", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := d.ContainerRename(t.Context(), id, "other"); err == nil {
		t.Fatal("a rename that was not saved succeeded")
	}
	if _, err := d.find("web"); err != nil || c.snapshot().Name != "web" {
		t.Errorf("the old name is lost: %v", err)
	}
	if _, err := d.find("other"); !errdefs.IsNotFound(err) {
		t.Errorf("the new name stays: %v", err)
	}
	start(t, d, id) // running matters more than the note of it
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, before, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d = m.boot() // its record says created; its shim knows better
	if s := inspect(t, d, id); !s.Running {
		t.Errorf("state %+v", s)
	}
}

func TestDiskWords(t *testing.T) {
	err := diskWords("create the container", &os.PathError{Op: "write", Path: "/x", Err: unix.ENOSPC})
	if !errdefs.IsResourceExhausted(err) || !errors.Is(err, unix.ENOSPC) || !strings.Contains(err.Error(), "the disk of the data root is full: free some space") {
		t.Error(err)
	}
	if err := diskWords("x", unix.EIO); errdefs.IsResourceExhausted(err) {
		t.Error(err)
	}
}
