package source

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
)

const goProgram = "package main\n\nfunc main() { println(\"hi\") }\n"

// folder lays files into a new folder.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		at := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// open makes a context and reads it.
func open(t *testing.T, o Options) (*Context, map[string]string, error) {
	t.Helper()
	c, err := Open(context.Background(), o)
	if errors.Is(err, errdefs.ErrUnavailable) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		return nil, nil, err
	}
	defer c.Tar.Close()
	files := map[string]string{}
	for r := tar.NewReader(c.Tar); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return c, files, nil
		}
		if err != nil {
			return nil, nil, err
		}
		b, err := io.ReadAll(r)
		if err != nil {
			return nil, nil, err
		}
		if _, twice := files[h.Name]; twice || h.Uid != 0 || h.Uname != "" {
			t.Errorf("%s: twice (%v) or somebody's: %+v", h.Name, twice, h)
		}
		files[h.Name] = string(b)
	}
}

func names(files map[string]string) []string { return slices.Sorted(maps.Keys(files)) }

func TestCompiles(t *testing.T) {
	for language, files := range map[string]map[string]string{
		"go":   {"go.mod": "module x\n\ngo 1.24\n", "main.go": goProgram},
		"c":    {"main.c": "#include <stdio.h>\nint f(void);\nint main(void) { printf(\"%d\\n\", f()); return 0; }\n", "f.c": "int f(void) { return 1; }\n"},
		"rust": {"Cargo.toml": "[package]\nname = \"a-b\"\nversion = \"0.1.0\"\nedition = \"2021\"\n", "src/main.rs": "fn main() { println!(\"hi\"); }\n"},
	} {
		t.Run(language, func(t *testing.T) {
			if language == "rust" { // whose products are kept in the user's cache
				t.Setenv("XDG_CACHE_HOME", t.TempDir())
			}
			dir := folder(t, files)
			before := listing(t, dir)
			c, one, err := open(t, Options{Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			if c.Language != language || !strings.HasPrefix(one[Product], "\x00asm") || one[c.Dockerfile] != "FROM scratch\nCOPY app.wasm /app.wasm\nENTRYPOINT [\"/app.wasm\"]\n" {
				t.Errorf("%+v: %q", c, one[c.Dockerfile])
			}
			// Another copy of the folder gives the same bytes.
			if _, two, err := open(t, Options{Dir: folder(t, files)}); err != nil || two[Product] != one[Product] {
				t.Errorf("a second build differs (%d and %d bytes), %v", len(one[Product]), len(two[Product]), err)
			}
			after := listing(t, dir)
			if language == "rust" { // cargo itself writes the lock file
				after = slices.DeleteFunc(after, func(n string) bool { return n == "Cargo.lock" })
			}
			if !slices.Equal(before, after) {
				t.Errorf("the folder had %v, has %v", before, after)
			}
		})
	}
}

func listing(t *testing.T, dir string) (out []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(dir, p)
		out = append(out, rel)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestWhenToCompile(t *testing.T) {
	const copies = "FROM scratch\nCOPY [\"./app.wasm\", \"/x\"]\n"
	program := map[string]string{"go.mod": "module x\n\ngo 1.24\n", "main.go": goProgram}
	with := func(more map[string]string) map[string]string {
		m := maps.Clone(program)
		maps.Copy(m, more)
		return m
	}
	for _, tc := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"the Dockerfile copies it", with(map[string]string{"Dockerfile": copies}), "go"},
		{"the Dockerfile copies something else", with(map[string]string{"Dockerfile": "FROM scratch\nCOPY main.go /\n"}), ""},
		{"another stage has it", with(map[string]string{"Dockerfile": "FROM scratch AS a\nFROM scratch\nCOPY --from=a app.wasm /\n"}), ""},
		{"it is there", with(map[string]string{"Dockerfile": copies, "app.wasm": "mine"}), ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, files, err := open(t, Options{Dir: folder(t, tc.files)})
			if err != nil || c.Language != tc.want || c.Dockerfile != "Dockerfile" {
				t.Fatalf("%+v, %v", c, err)
			}
			if mine := tc.files["app.wasm"]; mine != "" && files["app.wasm"] != mine {
				t.Errorf("the user's app.wasm became %q", files["app.wasm"])
			}
		})
	}
}

func TestRefuses(t *testing.T) {
	for _, tc := range []struct {
		name  string
		files map[string]string
		file  string
		want  string
	}{
		{"nothing to build", map[string]string{"README": ""}, "", "wanted a Go program, a Cargo package, C files, or a Dockerfile"},
		{"two programs", map[string]string{"go.mod": "", "Cargo.toml": ""}, "", "both a Go program and a Cargo package"},
		{"a library", map[string]string{"go.mod": "module x\n\ngo 1.24\n", "x.go": "package x\n"}, "", `its Go package is "x", wanted a program`},
		{"no such Dockerfile", map[string]string{"main.c": ""}, "nope", "there is no Dockerfile nope"},
		{"does not compile", map[string]string{"go.mod": "module x\n\ngo 1.24\n", "x.go": "package main\nfunc main() { x }\n"}, "", "go build: exit status 1"},
		{"bad ignore", map[string]string{"Dockerfile": "FROM scratch\n", ".dockerignore": "[a\n"}, "", ".dockerignore: "},
		{"not wasm", map[string]string{"app.wasm": "mine"}, "", "app.wasm: "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, _, err := open(t, Options{Dir: folder(t, tc.files), Dockerfile: tc.file})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
	if _, err := Open(context.Background(), Options{Dir: filepath.Join(t.TempDir(), "no")}); !errdefs.IsNotFound(err) {
		t.Errorf("a folder that isn't there: %v", err)
	}
}

func TestMissingTools(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("WASI_SDK_PATH", "/nowhere")
	for language, files := range map[string]map[string]string{
		"install Go": {"main.go": goProgram}, "WASI_SDK_PATH is /nowhere": {"main.c": ""},
	} {
		_, err := Open(context.Background(), Options{Dir: folder(t, files)})
		if !errdefs.IsUnavailable(err) || !strings.Contains(err.Error(), language) {
			t.Errorf("got %v, want %q", err, language)
		}
	}
}

func TestIgnore(t *testing.T) {
	files := map[string]string{
		"Dockerfile": "FROM scratch\nCOPY . /\n", ".dockerignore": "*.log\nout\n!out/keep\n.git\nDockerfile\n",
		"a": "", "a.log": "", "out/x": "", "out/keep": "", ".git/config": "", "deep/b.log": "", "deep/c": "",
	}
	_, got, err := open(t, Options{Dir: folder(t, files)})
	want := []string{".dockerignore", "Dockerfile", "a", "deep/", "deep/b.log", "deep/c", "out/keep"}
	if err != nil || !slices.Equal(names(got), want) {
		t.Errorf("%v, %v; want %v", names(got), err, want)
	}
}

func TestDockerfileElsewhere(t *testing.T) {
	dir := folder(t, map[string]string{"Dockerfile": "FROM a\n", "sub/other": "FROM b\n", "f": ""})
	outside := filepath.Join(folder(t, map[string]string{"D": "FROM c\n"}), "D")
	for _, tc := range []struct{ file, stdin, want string }{
		{"", "", "FROM a\n"}, {"sub/other", "", "FROM b\n"}, {outside, "", "FROM c\n"}, {"-", "FROM d\n", "FROM d\n"},
	} {
		c, files, err := open(t, Options{Dir: dir, Dockerfile: tc.file, Stdin: strings.NewReader(tc.stdin)})
		if err != nil || files[c.Dockerfile] != tc.want {
			t.Errorf("%q: %+v %q, %v", tc.file, c, files[c.Dockerfile], err)
		}
	}
}

func TestSpecialFilesAreNamed(t *testing.T) {
	dir := folder(t, map[string]string{"Dockerfile": "FROM scratch\n"})
	t.Chdir(dir) // a socket's path must be short
	l, err := net.Listen("unix", "s")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var log strings.Builder
	_, files, err := open(t, Options{Dir: dir, Log: &log})
	if err != nil || !strings.Contains(log.String(), "s is left out: it is a socket") || len(files) != 1 {
		t.Errorf("%v, %v, %q", names(files), err, &log)
	}
}

func TestWithoutCargo(t *testing.T) {
	for text, want := range map[string]string{
		"[package]\nname=\"a\"\n":                                                                   "",
		"[package]\nname=\"a\"\n[dependencies]\nserde=\"1\"\n":                                      "dependencies",
		"[workspace]\nmembers=[]\n":                                                                 "a workspace",
		"[package]\nname=\"a\"\nbuild=\"b.rs\"\n":                                                   "a build script",
		"[package]\nname=\"a\"\n[features]\nx=[]\n":                                                 "features",
		"[package]\nname=\"a\"\n[[bin]]\nname=\"x\"\npath=\"y\"\n[[bin]]\nname=\"z\"\npath=\"y\"\n": "several programs",
	} {
		m, err := readManifest([]byte(text))
		if got := m.needsCargo(t.TempDir()); err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
	}
}
