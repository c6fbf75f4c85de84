//go:build linux && daemons

package stock

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wherry/internal/testutil/stock"
	"wherry/internal/testutil/wherry"
)

var imageTests = []subtest{
	{"platforms", testPlatforms},
	{"image of wherry build", testWherryBuild},
	{"retag and rmi", testRetag},
	{"Linux image", testLinuxContainer},
}

func testPlatforms(t *testing.T, e *engine) {
	for _, plat := range []string{"wasi/wasm", "wasip1/wasm"} {
		image := hello(t, plat)
		image.Name = "docker.io/library/platform:" + strings.ReplaceAll(plat, "/", "-")
		image.Files = map[string][]byte{"probe.wasm": guest(t, "wherry/test/testdata/probe")}
		image.Entrypoint = []string{"/probe.wasm"}
		e.Run(t, "load", "-i", image.Archive(t))
		for _, runtime := range []string{"wherry", "wasmtime", "wasmedge"} {
			out := e.Run(t, "run", "--rm", "--runtime=io.containerd."+runtime+".v1", "--platform="+plat, image.Name, "pwd")
			if out != "/" {
				t.Errorf("%s on %s printed %q", plat, runtime, out)
			}
		}
	}
}

func testWherryBuild(t *testing.T, e *engine) {
	dir := t.TempDir()
	for name, data := range map[string][]byte{
		"probe.wasm": guest(t, "wherry/test/testdata/probe"),
		"Dockerfile": []byte("FROM scratch\nCOPY probe.wasm /\nENTRYPOINT [\"/probe.wasm\"]\nCMD [\"pwd\"]\n"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	w := wherry.Start(t)
	w.Must("build", "-t", "built-by-wherry", "--platform=wasi/wasm32", dir)
	archive := filepath.Join(t.TempDir(), "image.tar")
	w.Must("save", "-o", archive, "built-by-wherry")
	e.Run(t, "load", "-i", archive)
	if out := e.Run(t, "run", "--rm", "--runtime=io.containerd.wasmedge.v1", "--platform=wasi/wasm32", "built-by-wherry"); out != "/" {
		t.Errorf("printed %q", out)
	}
}

// What a container was made from stays its program, whatever its image's name
// comes to mean.
func testRetag(t *testing.T, e *engine) {
	image := func(answer string) stock.Image {
		i := probe(t)
		i.Name = "docker.io/library/moving:1"
		i.Files["answer"] = []byte(answer)
		return i
	}
	e.Run(t, "load", "-i", image("old").Archive(t))
	id := e.Run(t, "create", "--runtime=io.containerd.wasmedge.v1", "--platform=wasi/wasm32", "moving:1", "cat", "/answer", "sleep")
	e.removeAfter(t, id)
	e.Run(t, "load", "-i", image("new").Archive(t))
	e.Run(t, "start", id)
	e.awaitLog(t, id, "oldsleeping")
	e.Run(t, "rmi", "-f", "moving:1")
	e.Run(t, "restart", id)
	await(t, "the second start's output", func() bool {
		return bytes.Count([]byte(e.Run(t, "logs", id)), []byte("oldsleeping")) == 2
	})
}
