package image

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// FuzzPlatform holds that what users and indexes name as platforms is refused
// with a class or matches itself.
func FuzzPlatform(f *testing.F) {
	for _, s := range []string{"wasi/wasm", "wasm", "linux/amd64/v1", "WASI/WASM32", "a/b/c/d", "/", "*", "windows(10.0.17763)/amd64", "\x00"} {
		f.Add(s, "wasip1", "wasm")
	}
	f.Fuzz(func(t *testing.T, platform, os, arch string) {
		m, err := Matcher(platform)
		if err != nil {
			if !errdefs.IsInvalidArgument(err) {
				t.Errorf("%q: unclassified: %v", platform, err)
			}
			return
		}
		p := ocispec.Platform{OS: os, Architecture: arch}
		m.Match(p)
		if m.Less(p, p) {
			t.Errorf("%q comes before itself", platform)
		}
		if want, err := Parse(platform); platform != "" && (err != nil || !m.Match(want)) {
			t.Errorf("%q is %v, %v, and does not match it", platform, want, err)
		}
	})
}

// FuzzProgram holds that whatever arguments, folders and links say, a program is
// looked for at absolute, clean paths only, and errors have Docker's codes.
func FuzzProgram(f *testing.F) {
	for _, s := range []string{"/app.wasm", "app.wasm#run", "../../etc/passwd", "docker-init\n--\nx", "#", "a#b#c", "/", "tini\n-s\n--", "x\x00y", strings.Repeat("a/", 3000)} {
		f.Add(s, "/w", "/bin:/usr/bin::rel:..")
	}
	f.Fuzz(func(t *testing.T, args, cwd, search string) {
		asked := 0
		p, err := ResolveProgram(strings.Split(args, "\n"), cwd, search, func(p string) (*os.File, error) {
			if asked++; !path.IsAbs(p) || p != path.Clean(p) || strings.ContainsRune(p, 0) && !strings.ContainsRune(cwd+search, 0) {
				t.Errorf("asked for %q", p)
			}
			if strings.HasSuffix(p, "app.wasm") {
				return os.Open(os.DevNull)
			}
			return nil, &fs.PathError{Op: "open", Path: p, Err: fs.ErrNotExist}
		})
		if asked > 2*(strings.Count(search, ":")+4) {
			t.Errorf("asked %d times", asked)
		}
		var pe *ProgramError
		if err != nil {
			if !errors.As(err, &pe) || pe.ExitCode() != 126 && pe.ExitCode() != 127 || len(err.Error()) > 20_000 {
				t.Errorf("%v", err)
			}
			return
		}
		defer p.File.Close()
		if len(p.Args) == 0 || p.Func == "" || !path.IsAbs(p.Path) {
			t.Errorf("%+v", p)
		}
	})
}
