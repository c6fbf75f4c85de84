package architecture

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// pkg is what `go list -json` says of a package.
type pkg struct {
	ImportPath, Dir, Doc, Name string
	Imports, Deps              []string
	GoFiles, TestGoFiles       []string
}

// list asks the go command, so that build tags and generated files count as
// they do in a build.
func list(t *testing.T, env []string, args ...string) []pkg {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json", "-tags", "netgo,osusergo"}, args...)...)
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list %v: %v\n%s", args, err, stderr.Bytes())
	}
	var pkgs []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
}

// may says which rooms each room's code imports, below "wherry/"; a room's
// folders belong to it unless they have a line of their own. It is the picture
// of ARCHITECTURE.md: a new arrow belongs there too.
var may = map[string][]string{
	"cmd/wherry":                    {"internal/cli"},
	"cmd/wherryd":                   {"internal/server"},
	"cmd/containerd-shim-wherry-v1": {"internal/shim", "internal/sandbox", "internal/guest/code"},

	"internal/cli":          {"internal/folder", "internal/install", "internal/build/source", "internal/build/scaffold", "internal/module", "internal/image", "internal/buildinfo"},
	"internal/server":       {"internal/api", "internal/daemon", "internal/folder", "internal/buildinfo"},
	"internal/folder":       {},
	"internal/install":      {"internal/buildinfo"},
	"internal/api":          {"internal/daemon", "internal/buildinfo"},
	"internal/daemon":       {"internal/store", "internal/build", "internal/image", "internal/module", "internal/shim/client", "internal/shim/bundle", "internal/wasi/host/tree", "internal/buildinfo"},
	"internal/build":        {"internal/store", "internal/image", "internal/module"},
	"internal/build/source": {"internal/module"},
	"internal/store":        {"internal/image", "internal/module", "internal/buildinfo"},
	"internal/shim/client":  {"internal/shim/bundle"},

	"internal/shim":        {"internal/sandbox", "internal/guest", "internal/image", "internal/module", "internal/engine", "internal/wasi/host/tree", "internal/wasi/host/socket", "internal/buildinfo"},
	"internal/shim/bundle": {"internal/wasi/host/socket/policy"},
	"internal/sandbox":     {"internal/guest"},

	"internal/sandbox/wall":     {},
	"internal/sandbox/cgroup":   {},
	"internal/sandbox/enter":    {"internal/sandbox/wall"},
	"internal/sandbox/seccomp":  {},
	"internal/sandbox/pathless": {},
	"internal/guest":            {"internal/image", "internal/module", "internal/wasi", "internal/engine"},

	"internal/wasi":                    {"internal/engine"},
	"internal/wasi/host":               {},
	"internal/image":                   {},
	"internal/module":                  {},
	"internal/engine":                  {},
	"internal/engine/engines":          {"internal/engine", "internal/engine/wasmtime", "internal/engine/wazero"},
	"internal/build/scaffold":          {"guest"},
	"internal/buildinfo":               {},
	"internal/testutil":                {"*"},
	"internal/engine/enginetest":       {"internal/engine"},
	"internal/architecture":            {},
	"guest":                            {},
	"examples":                         {"guest"},
	"bench":                            {"internal/engine", "internal/wasi", "internal/testutil"},
	"test":                             {"internal/testutil", "examples"},
	"internal/wasi/preview1":           {"internal/engine", "internal/wasi/host"},
	"internal/wasi/host/tree":          {},
	"internal/wasi/host/socket":        {"internal/wasi/host"},
	"internal/wasi/host/socket/policy": {},
	"internal/engine/wasmtime":         {"internal/engine"},
	"internal/engine/wazero":           {"internal/engine"},
}

// roomOf is the longest line of the table that a package lies in.
func roomOf(path string) string {
	room := ""
	for r := range may {
		if (path == r || strings.HasPrefix(path, r+"/")) && len(r) > len(room) {
			room = r
		}
	}
	return room
}

func within(path, room string) bool {
	return room == "*" || path == room || strings.HasPrefix(path, room+"/")
}

func TestImportsRunDownward(t *testing.T) {
	for _, p := range list(t, nil, "./...") {
		path := strings.TrimPrefix(p.ImportPath, "wherry/")
		room := roomOf(path)
		if room == "" {
			t.Errorf("%s is in no room: give it a line in the table and a place in ARCHITECTURE.md", path)
			continue
		}
		for _, imp := range p.Imports {
			imp, ours := strings.CutPrefix(imp, "wherry/")
			if !ours || within(imp, room) {
				continue
			}
			if !slices.ContainsFunc(may[room], func(r string) bool { return within(imp, r) }) {
				t.Errorf("%s imports %s; %s may import only %v", path, imp, room, may[room])
			}
		}
	}
}

func TestEnginesKnowNoWASIAndWASINoEngine(t *testing.T) {
	for _, p := range list(t, nil, "./internal/engine/...", "./internal/wasi/...") {
		for _, d := range p.Deps {
			switch d, _ := strings.CutPrefix(d, "wherry/"); {
			case within(strings.TrimPrefix(p.ImportPath, "wherry/"), "internal/engine") && within(d, "internal/wasi"),
				within(strings.TrimPrefix(p.ImportPath, "wherry/"), "internal/wasi") && within(d, "internal/engine") && d != "internal/engine":
				t.Errorf("%s reaches %s", p.ImportPath, d)
			}
		}
	}
}

// What becomes the container process carries nothing that it doesn't need:
// every package linked is paid for at every start, and is there for a guest
// that got out.
func TestShimLinks(t *testing.T) {
	forbidden := []string{
		"github.com/docker/cli", "github.com/moby/moby", "github.com/moby/buildkit", "github.com/distribution",
		"github.com/containerd/containerd/v2/core/remotes", "github.com/containerd/containerd/v2/client",
		"github.com/containerd/containerd/v2/core/metadata", "go.etcd.io/bbolt", "github.com/spf13/cobra",
		"net/http/httputil",
		"wherry/internal/store", "wherry/internal/build", "wherry/internal/daemon", "wherry/internal/api", "wherry/internal/cli",
	}
	for _, cgo := range []string{"CGO_ENABLED=0", "CGO_ENABLED=1"} {
		for _, p := range list(t, []string{cgo}, "./cmd/containerd-shim-wherry-v1") {
			for _, d := range p.Deps {
				for _, f := range forbidden {
					if within(d, f) {
						t.Errorf("%s: the shim links %s", cgo, d)
					}
				}
			}
		}
	}
}

// The daemon starts shims; it runs no guest itself, so a guest can't reach it.
// The command does not even carry the daemon: what it links is paid for at
// every start of it.
func TestCommandsLinkNoEngine(t *testing.T) {
	engines := []string{"github.com/bytecodealliance/wasmtime-go", "github.com/tetratelabs/wazero", "wherry/internal/engine", "wherry/internal/guest", "wherry/internal/wasi/preview1"}
	daemon := []string{"wherry/internal/daemon", "wherry/internal/api", "wherry/internal/store", "go.etcd.io/bbolt", "github.com/containerd/containerd/v2/core"}
	for program, forbidden := range map[string][]string{"./cmd/wherryd": engines, "./cmd/wherry": append(engines, daemon...)} {
		for _, p := range list(t, nil, program) {
			for _, d := range p.Deps {
				for _, f := range forbidden {
					if within(d, f) {
						t.Errorf("%s links %s", program, d)
					}
				}
			}
		}
	}
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	for _, p := range list(t, nil, "./...") {
		want := "Package " + p.Name
		if p.Name == "main" {
			want = "Command "
		}
		if !strings.HasPrefix(p.Doc, want) {
			t.Errorf("%s: the package comment must begin with %q, it is %q", p.ImportPath, want, p.Doc)
		}
	}
}

func TestMainFilesAreShort(t *testing.T) {
	for _, p := range list(t, nil, "./cmd/...") {
		for _, f := range p.GoFiles {
			b, err := os.ReadFile(p.Dir + "/" + f)
			if err != nil {
				t.Fatal(err)
			}
			if n := bytes.Count(b, []byte("\n")); n > 40 {
				t.Errorf("%s/%s has %d lines; a main has at most 40", p.ImportPath, f, n)
			}
		}
	}
}
