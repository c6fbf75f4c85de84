package source

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
)

type rust struct{}

func (rust) name() string { return "rust" }

func (rust) has(names []string) bool { return slices.Contains(names, "Cargo.toml") }

// rustTargets are the names of WASI preview 1, the newer one first: Rust 1.78
// renamed it, and 1.84 dropped the old name.
var rustTargets = []string{"wasm32-wasip1", "wasm32-wasi"}

// rustCure says how to get Rust's standard library for Wasm.
const rustCure = "run `rustup target add wasm32-wasip1` (Debian: apt-get install cargo libstd-rust-dev-wasm32)"

// rustc is a Rust compiler that has the standard library for target.
type rustc struct{ path, target string }

// findRustc takes the first compiler on the path that can do it: there may be
// rustup's and the system's, and only one of them with the library.
func findRustc(ctx context.Context, dir string) (rustc, error) {
	candidates := []string{os.Getenv("RUSTC")}
	for _, p := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/bin") {
		candidates = append(candidates, filepath.Join(p, "rustc"))
	}
	found := false
	for _, c := range candidates {
		path, err := exec.LookPath(c)
		if c == "" || err != nil {
			continue
		}
		found = true
		sysroot, err := run(ctx, dir, nil, io.Discard, path, "--print", "sysroot")
		if err != nil {
			continue
		}
		for _, t := range rustTargets {
			libs, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(sysroot)), "lib", "rustlib", t, "lib", "libstd-*.rlib"))
			if err == nil && len(libs) > 0 {
				return rustc{path, t}, nil
			}
		}
	}
	if !found {
		return rustc{}, missing("it is a Cargo package and there is no rustc", "install Rust (https://rustup.rs), then "+rustCure)
	}
	return rustc{}, missing("it is a Cargo package and rustc has no standard library for "+rustTargets[0], rustCure)
}

func (rust) compile(ctx context.Context, dir, out string, log io.Writer) error {
	compiler, err := findRustc(ctx, dir)
	if err != nil {
		return err
	}
	cargo, err := exec.LookPath("cargo")
	// Cargo drives a compiler of its own age; the system's rustc without the
	// system's cargo is used alone, which a package without dependencies allows.
	if err != nil || filepath.Dir(cargo) != filepath.Dir(compiler.path) {
		return compiler.alone(ctx, dir, out, log)
	}
	built, err := cargoBuild(ctx, cargo, compiler, dir, log)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(built)
	if err != nil {
		return err
	}
	return os.WriteFile(out, data, 0o644)
}

// cargoBuild gives the path of the program that cargo built, which lies in a
// cache: the user's folder stays as it is and a second build is quick.
func cargoBuild(ctx context.Context, cargo string, compiler rustc, dir string, log io.Writer) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	target := filepath.Join(cache, "wherry", "cargo", digest.FromString(dir).Encoded()[:16])
	if err := os.MkdirAll(target, 0o700); err != nil {
		return "", err
	}
	fmt.Fprintf(log, "compiling %s: cargo build --release --target %s\n", dir, compiler.target)
	env := []string{"RUSTC=" + compiler.path, "CARGO_TARGET_DIR=" + target}
	said, err := run(ctx, dir, env, log, cargo, "build", "--release", "--target", compiler.target, "--message-format", "json-render-diagnostics")
	if err != nil {
		return "", err
	}
	return program(said)
}

// program finds the one program among cargo's messages
// (doc.rust-lang.org/cargo/reference/external-tools.html).
func program(messages []byte) (string, error) {
	built := map[string]string{}
	for dec := json.NewDecoder(bytes.NewReader(messages)); ; {
		var m struct {
			Reason string
			Target struct {
				Kind []string
				Name string
			}
			Filenames []string
		}
		if err := dec.Decode(&m); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return "", fmt.Errorf("cargo's messages: %w", err)
		}
		for _, f := range m.Filenames {
			if m.Reason == "compiler-artifact" && slices.Contains(m.Target.Kind, "bin") && strings.HasSuffix(f, ".wasm") {
				built[m.Target.Name] = f
			}
		}
	}
	var names []string
	for name, file := range built {
		if len(built) == 1 {
			return file, nil
		}
		names = append(names, name)
	}
	slices.Sort(names)
	if len(names) == 0 {
		return "", fmt.Errorf("the Cargo package has no program (src/main.rs): %w", errdefs.ErrInvalidArgument)
	}
	return "", fmt.Errorf("the Cargo package has %d programs (%s), wanted one: %w", len(names), strings.Join(names, ", "), errdefs.ErrInvalidArgument)
}
