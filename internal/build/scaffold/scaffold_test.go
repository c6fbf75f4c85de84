package scaffold

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/errdefs"

	"wherry/internal/build/source"
)

func TestWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "My Service")
	names, err := Write("go", dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"go.mod", "main.go", "Dockerfile", ".dockerignore", "internal/wasinet/wasinet.go", "internal/wasinet/sockets_wasip1.go"} {
		if !slices.Contains(names, want) {
			t.Errorf("there is no %s in %v", want, names)
		}
	}
	for _, n := range names {
		b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(n)))
		if err != nil {
			t.Error(err)
		}
		if strings.Contains(string(b), "{{") || strings.HasSuffix(n, "_test.go") || strings.HasSuffix(n, ".tmpl") {
			t.Errorf("%s came out unfinished", n)
		}
	}
	mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil || !strings.HasPrefix(string(mod), "module myservice\n") {
		t.Errorf("go.mod: %q, %v", mod, err)
	}
}

func TestWriteRefuses(t *testing.T) {
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "letter.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, language, dir, want string
		is                        error
	}{
		{"unknown language", "cobol", t.TempDir(), `there is no template for "cobol", there are: c, go, rust`, errdefs.ErrInvalidArgument},
		{"full folder", "go", full, "is not empty (it has letter.txt)", errdefs.ErrAlreadyExists},
		{"file", "go", filepath.Join(full, "letter.txt"), "is a file", errdefs.ErrAlreadyExists},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Write(tc.language, tc.dir)
			if !errors.Is(err, tc.is) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
	if entries, err := os.ReadDir(full); err != nil || len(entries) != 1 {
		t.Errorf("a refused init wrote something: %v, %v", entries, err)
	}
}

func TestProgramName(t *testing.T) {
	for folder, want := range map[string]string{
		"hello": "hello", "Hello World": "helloworld", "2fast": "fast", "a-b_c9": "a-b_c9",
		"": "app", "世界": "app", "internal": "app", "match": "app", "func": "app", "-x": "x",
	} {
		if got := programName(folder); got != want {
			t.Errorf("%q: %q, want %q", folder, got, want)
		}
	}
}

// What init writes compiles as it is, without a network.
func TestProgramsCompile(t *testing.T) {
	for _, language := range Languages() {
		t.Run(language, func(t *testing.T) {
			t.Setenv("GOPROXY", "off")
			t.Setenv("CARGO_NET_OFFLINE", "true")
			if language == "rust" { // whose products are kept in the user's cache
				t.Setenv("XDG_CACHE_HOME", t.TempDir())
			}
			dir := filepath.Join(t.TempDir(), "hello")
			if _, err := Write(language, dir); err != nil {
				t.Fatal(err)
			}
			var log strings.Builder
			c, err := source.Open(context.Background(), source.Options{Dir: dir, Log: &log})
			if errors.Is(err, errdefs.ErrUnavailable) && os.Getenv("CI") != "true" {
				t.Skip(err)
			}
			if err != nil {
				t.Fatalf("%v\n%s", err, &log)
			}
			defer c.Tar.Close()
			if n, err := io.Copy(io.Discard, c.Tar); err != nil || n < 10000 || c.Language != language {
				t.Errorf("%d bytes of %q, %v", n, c.Language, err)
			}
			if strings.Contains(log.String(), "warning") {
				t.Errorf("the compiler warns:\n%s", &log)
			}
		})
	}
}

// The Rust program's sockets are those of the example that is tested under
// load; a fix belongs into both.
func TestRustSocketsAreTheExamples(t *testing.T) {
	here, err1 := os.ReadFile("templates/rust/src/sock.rs.tmpl")
	there, err2 := os.ReadFile("../../../examples/hello-rust/src/sock.rs")
	if err1 != nil || err2 != nil || string(here) != string(there) {
		t.Errorf("templates/rust/src/sock.rs.tmpl and examples/hello-rust/src/sock.rs differ (%v, %v)", err1, err2)
	}
}
