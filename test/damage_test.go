package test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wherry/internal/testutil/registry"
	"wherry/internal/testutil/wherry"
)

// flip changes a byte in the middle of a file, whatever its mode.
func flip(t *testing.T, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// find walks a data root for the one file that ends so.
func find(t *testing.T, root, end string) string {
	t.Helper()
	found := ""
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && strings.HasSuffix(path, end) {
			if found != "" {
				t.Errorf("two files end in %s: %s and %s", end, found, path)
			}
			found = path
		}
		return err
	})
	if err != nil || found == "" {
		t.Fatalf("no file below %s ends in %s: %v", root, end, err)
	}
	return found
}

// A blob of the store, or a file of the tree unpacked from it, is damaged on
// the disk. The one line names it and the cure, and the cure works.
func TestDamagedStore(t *testing.T) {
	reg := registry.Start(t, registry.Options{})
	e := wherry.Start(t)
	dir, name := t.TempDir(), reg.Host+"/greet"
	if err := os.WriteFile(filepath.Join(dir, "greet.wasm"), greeter("hello\n", 0), 0o644); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "Dockerfile"), "FROM scratch\nCOPY greet.wasm /\nENTRYPOINT [\"/greet.wasm\"]\n")
	e.Must("build", "-q", "-t", name, dir)
	e.Must("push", "-q", name)

	var manifest struct{ Config, Layers json.RawMessage }
	manifestDigest := e.Must("inspect", "-f", "{{.Id}}", name)
	read := func(digest string) string { return find(t, e.Data(), strings.TrimPrefix(digest, "sha256:")) }
	b, err := os.ReadFile(read(manifestDigest))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &manifest); err != nil {
		t.Fatal(err)
	}
	var config struct{ Digest string }
	var layers []struct{ Digest string }
	if err := json.Unmarshal(manifest.Config, &config); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(manifest.Layers, &layers); err != nil {
		t.Fatal(err)
	}
	for what, digest := range map[string]string{"manifest": manifestDigest, "config": config.Digest, "layer": layers[0].Digest} {
		t.Run(what, func(t *testing.T) {
			flip(t, read(digest))
			says := []string{name, digest, "corrupt", "pull or load the image again"}
			bad{"save", []string{"save", "-o", filepath.Join(t.TempDir(), "x.tar"), name}, 1, says}.refuse(t, e)
			if what != "layer" { // that was unpacked before
				bad{"run", []string{"run", "--rm", name}, 125, says}.refuse(t, e)
			}
			e.Must("pull", "-q", name)
			e.Must("save", "-o", filepath.Join(t.TempDir(), "x.tar"), name)
			if got := e.Must("run", "--rm", "--pull=never", name); got != "hello" {
				t.Errorf("after the cure it printed %q", got)
			}
		})
	}
	t.Run("unpacked module", func(t *testing.T) {
		// Compiled code would hide it.
		if err := os.RemoveAll(filepath.Join(e.Data(), "code")); err != nil {
			t.Fatal(err)
		}
		path := find(t, e.Data(), "/greet.wasm")
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		at := strings.LastIndex(string(b), "hello")
		if err := os.Chmod(path, 0o600); err != nil {
			t.Fatal(err)
		}
		b[at] = 'j'
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		bad{"run", []string{"run", "--rm", name}, 125, []string{"/greet.wasm", "damaged", "sha256:", "wherry rmi -f"}}.refuse(t, e)
		e.Must("rmi", "-f", name)
		if got := e.Must("run", "--rm", "-q", name); got != "hello" {
			t.Errorf("after the cure it printed %q", got)
		}
	})
}
