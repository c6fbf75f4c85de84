//go:build linux && daemons

package stock

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"wherry/internal/testutil/docker"
	"wherry/internal/testutil/stock"
	"wherry/internal/testutil/wherry"
)

// shims is a folder with the shim under every name that it is installed by.
func shims(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"wherry", "wasmedge", "wasmtime", "wazero"} {
		if err := os.Symlink(filepath.Join(wherry.Programs(t), "containerd-shim-wherry-v1"), filepath.Join(dir, "containerd-shim-"+name+"-v1")); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// guest compiles a Go program of this repository for WASI.
func guest(t *testing.T, pkg string) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "guest.wasm")
	cmd := exec.Command("go", "build", "-o", path, pkg)
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", pkg, err, out)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func hello(t *testing.T, platform string) stock.Image {
	t.Helper()
	system, arch, _ := strings.Cut(platform, "/")
	return stock.Image{
		Name: "docker.io/library/hello:" + strings.ReplaceAll(platform, "/", "-"), Platform: ocispec.Platform{OS: system, Architecture: arch},
		Files: map[string][]byte{"hello.wasm": guest(t, "wherry/examples/hello-go")}, Entrypoint: []string{"/hello.wasm"},
	}
}

func TestCtr(t *testing.T) {
	c := stock.StartContainerd(t, stock.Newest, shims(t))
	image := stock.Image{
		Name: "docker.io/library/probe:1", Platform: ocispec.Platform{OS: "wasi", Architecture: "wasm"},
		Files: map[string][]byte{"probe.wasm": guest(t, "wherry/test/testdata/probe")}, Entrypoint: []string{"/probe.wasm"},
	}
	c.Run(t, "image", "import", "--all-platforms", image.Archive(t))
	t.Log(c.Run(t, "image", "ls"))
	t.Log(c.Run(t, "run", "--rm", "--runtime", "io.containerd.wasmedge.v1", "--platform", "wasi/wasm", image.Name, "one", "/probe.wasm", "args", "a", "b"))
}

func TestDocker(t *testing.T) {
	d := stock.StartDocker(t, stock.Newest, docker.Command(t), shims(t))
	image := hello(t, "wasi/wasm32")
	t.Log(d.Run(t, "load", "-i", image.Archive(t)))
	t.Log(d.Run(t, "run", "-dp", "8080:8080", "--name=wasm-example", "--runtime=io.containerd.wasmedge.v1", "--platform=wasi/wasm32", image.Name))
	t.Log(d.Run(t, "ps", "-a"))
	out, err := exec.Command("curl", "-sS", "--max-time", "5", "http://127.0.0.1:8080/").CombinedOutput()
	t.Log(string(out), err)
	t.Log(d.Run(t, "logs", "wasm-example"))
	t.Log(d.Run(t, "rm", "-f", "wasm-example"))
}
