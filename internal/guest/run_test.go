//go:build linux

package guest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"wherry/internal/engine"
	"wherry/internal/wasi/host/tree"
	"wherry/internal/wasi/preview1"
)

func TestEnvironment(t *testing.T) {
	for _, c := range []struct {
		cfg    Config
		bundle string
		want   []string
	}{
		{Config{}, "", []string{}},
		{Config{Env: []string{"A=b", "PWD=/old"}}, "", []string{"A=b", "PWD=/old"}},
		{Config{Env: []string{"A=b", "PWD=/old"}, Cwd: "/new"}, "", []string{"A=b", "PWD=/new"}},
		{Config{Hostname: "box"}, "", []string{"HOSTNAME=box"}},
		{Config{Hostname: "box", Env: []string{"HOSTNAME=mine"}}, "", []string{"HOSTNAME=mine"}},
		{Config{}, "/ca.pem", []string{"SSL_CERT_FILE=/ca.pem"}},
		{Config{Env: []string{"SSL_CERT_DIR=/certs"}}, "/ca.pem", []string{"SSL_CERT_DIR=/certs"}},
		{Config{Env: []string{"SSL_CERT_FILE="}}, "/ca.pem", []string{"SSL_CERT_FILE="}},
	} {
		if got := environment(c.cfg, c.bundle); !slices.Equal(got, c.want) {
			t.Errorf("%+v: %q, want %q", c.cfg, got, c.want)
		}
	}
}

func TestBundle(t *testing.T) {
	debian := tree.DefaultFile{Path: "/etc/ssl/certs/ca-certificates.crt", Data: []byte("default")}
	for _, c := range []struct {
		image, want string
	}{
		{"", "/etc/ssl/certs/ca-certificates.crt"},
		{"etc/ssl/cert.pem", "/etc/ssl/cert.pem"},
		{"etc/pki/tls/certs/ca-bundle.crt", "/etc/pki/tls/certs/ca-bundle.crt"},
	} {
		root := t.TempDir()
		if path := filepath.Join(root, c.image); c.image != "" {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte("own"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		files, err := tree.New(tree.Config{Root: root, Defaults: []tree.DefaultFile{debian}})
		if err != nil {
			t.Fatal(err)
		}
		if got := bundleOf(files); got != c.want {
			t.Errorf("image with %q: %q, want %q", c.image, got, c.want)
		}
		files.Close()
	}
	none, err := tree.New(tree.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer none.Close()
	if got := bundleOf(none); got != "" {
		t.Errorf("no bundle anywhere: %q", got)
	}
}

func TestHowAGuestEnded(t *testing.T) {
	for _, c := range []struct {
		err  error
		want Result
	}{
		{nil, Result{}},
		{fmt.Errorf("call: %w", &preview1.ExitError{Code: 0}), Result{}},
		{&preview1.ExitError{Code: 7}, Result{Code: 7}},
		{&preview1.ExitError{Code: 255}, Result{Code: 255}},
		{&preview1.ExitError{Code: 256}, Result{Code: 255}},
		{&preview1.ExitError{Code: 1 << 31}, Result{Code: 255}},
		{&engine.Trap{Code: engine.TrapUnreachable}, Result{Code: 134, Reason: "wasm trap: unreachable instruction executed"}},
		{engine.ErrNoExport, Result{Code: 126, Reason: "no such export"}},
	} {
		if got := ended(c.err); got != c.want {
			t.Errorf("%v: %+v, want %+v", c.err, got, c.want)
		}
	}
}

func TestNotStarted(t *testing.T) {
	for _, c := range []struct {
		err   error
		code  int
		stale bool
	}{
		{errors.New("something"), 125, false},
		{fmt.Errorf("load: %w", engine.ErrIncompatible), 125, true},
		{fmt.Errorf("instantiate: %w", &engine.ImportError{Import: engine.Import{Module: "env", Name: "f"}}), 126, false},
		{fmt.Errorf("instantiate: %w", &engine.Trap{Code: engine.TrapUnreachable}), 134, false},
	} {
		if got := notStarted(c.err); got.Code != c.code || got.Stale != c.stale || got.Reason != c.err.Error() {
			t.Errorf("%v: %+v", c.err, got)
		}
	}
}

func TestWorkingFolderIsMade(t *testing.T) {
	files, err := tree.New(tree.Config{Upper: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	for _, path := range []string{"", "/", "/a/b/c", "/a/b/c/", "/a/../d", "relative"} {
		if err := makeFolder(files, path); err != nil {
			t.Errorf("%q: %v", path, err)
		}
	}
	root := files.Root()
	defer root.Close()
	for _, made := range []string{"a/b/c", "d", "relative"} {
		if st, err := root.StatAt(made, true); err != nil || st.Type != tree.TypeDirectory {
			t.Errorf("%s was not made: %v", made, err)
		}
	}
	sealed, err := tree.New(tree.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer sealed.Close()
	if err := makeFolder(sealed, "/work"); err != nil {
		t.Errorf("a root that cannot be written: %v", err)
	}
}

func TestMiB(t *testing.T) {
	for n, want := range map[uint64]string{64 << 20: "64 MiB", 0: "0 MiB", 1<<20 + 1<<19: "1.5 MiB"} {
		if got := mib(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}
