//go:build linux && daemons

package stock

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"wherry/internal/testutil/docker"
	"wherry/internal/testutil/stock"
)

// native compiles a Go program of this repository for this machine, so that it
// needs no library.
func native(t *testing.T, pkg string) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	cmd := exec.Command("go", "build", "-trimpath", "-tags", "netgo,osusergo", "-o", path, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", pkg, err, out)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// A Linux image that comes to Wherry's runtime runs as under runc.
func TestLinuxContainer(t *testing.T) {
	for _, set := range []stock.Set{stock.Newest, stock.Debian} {
		t.Run(string(set), func(t *testing.T) {
			d := stock.StartDocker(t, set, docker.Command(t), shims(t))
			image := stock.Image{
				Name: "docker.io/library/native:1", Platform: ocispec.Platform{OS: "linux", Architecture: runtime.GOARCH},
				Files: map[string][]byte{"probe": native(t, "wherry/test/testdata/probe")}, Entrypoint: []string{"/probe"},
			}
			d.Run(t, "load", "-i", image.Archive(t))
			out := d.Run(t, "run", "--rm", "--runtime=io.containerd.wherry.v1", "--hostname", "box", image.Name, "ls", "/proc/self/ns", "exit", "0")
			if !strings.Contains(out, "pid_for_children") {
				t.Errorf("a Linux program saw %q", out)
			}
			out, code := d.Try(t, "run", "--rm", "--runtime=io.containerd.wherry.v1", image.Name, "exit", "7")
			if code != 7 {
				t.Errorf("exit code %d: %s", code, out)
			}
			if out := d.Run(t, "ps", "-aq"); out != "" {
				t.Errorf("left: %s", out)
			}
		})
	}
}
