package source

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/containerd/errdefs"
	"github.com/pelletier/go-toml/v2"
)

// manifest is what of a Cargo.toml matters for building without cargo.
type manifest struct {
	Package struct {
		Name    string
		Edition string
		Build   any
	}
	Bin               []struct{ Name, Path string }
	Dependencies      map[string]any
	BuildDependencies map[string]any `toml:"build-dependencies"`
	Target            map[string]struct{ Dependencies map[string]any }
	Features          map[string]any
	Profile           map[string]any
	Workspace         map[string]any
}

func readManifest(text []byte) (*manifest, error) {
	var m manifest
	if err := toml.Unmarshal(text, &m); err != nil {
		return nil, fmt.Errorf("Cargo.toml: %w: %w", err, errdefs.ErrInvalidArgument)
	}
	return &m, nil
}

// needsCargo says what only cargo can do for the package, or nothing.
func (m *manifest) needsCargo(dir string) string {
	for _, t := range m.Target {
		if len(t.Dependencies) > 0 {
			return "dependencies"
		}
	}
	switch {
	case len(m.Dependencies) > 0:
		return "dependencies"
	case len(m.BuildDependencies) > 0 || m.Package.Build != nil || exists(filepath.Join(dir, "build.rs")):
		return "a build script"
	case len(m.Features) > 0:
		return "features"
	case len(m.Workspace) > 0 || m.Package.Name == "":
		return "a workspace"
	case len(m.Bin) > 1:
		return "several programs"
	case exists(filepath.Join(dir, "src", "lib.rs")):
		return "a library"
	case exists(filepath.Join(dir, ".cargo")):
		return "a .cargo configuration"
	}
	return ""
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// alone builds a package of one crate as cargo would.
func (c rustc) alone(ctx context.Context, dir, out string, log io.Writer) error {
	text, err := os.ReadFile(filepath.Join(dir, "Cargo.toml"))
	if err != nil {
		return err
	}
	m, err := readManifest(text)
	if err != nil {
		return err
	}
	if why := m.needsCargo(dir); why != "" {
		return missing(fmt.Sprintf("it has %s, and there is no cargo beside %s", why, c.path), "install cargo (Debian: apt-get install cargo)")
	}
	main := filepath.Join("src", "main.rs")
	if len(m.Bin) == 1 && m.Bin[0].Path != "" {
		main = filepath.FromSlash(m.Bin[0].Path)
	}
	// Rust 2015 is the edition of a manifest that names none.
	args := []string{"--edition", cmp.Or(m.Package.Edition, "2015"), "--crate-name", crateName(m.Package.Name), "--crate-type", "bin",
		"--target", c.target, "-C", "opt-level=3", "-C", "strip=debuginfo"}
	if p, ok := m.Profile["release"].(map[string]any); ok && p["panic"] == "abort" {
		args = append(args, "-C", "panic=abort")
	}
	fmt.Fprintf(log, "compiling %s: rustc --target %s %s\n", dir, c.target, main)
	said, err := run(ctx, dir, nil, log, c.path, append(args, "-o", out, main)...)
	log.Write(said)
	return err
}

// crateName is the name that cargo gives a package's crate.
func crateName(name string) string {
	b := []byte(name)
	for i := range b {
		if b[i] == '-' {
			b[i] = '_'
		}
	}
	return string(b)
}
