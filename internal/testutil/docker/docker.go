// Package docker gives tests the stock docker command, of the version that
// go.mod pins, so that what claims to serve it is tried with it. It must know
// nothing of Wherry.
package docker

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const (
	module  = "github.com/docker/cli"
	program = module + "/cmd/docker"
)

var built struct {
	once sync.Once
	dir  string
	out  []byte
	err  error
}

// Command builds the stock client, at most once a test process, and returns
// its path. Call [Clean] in TestMain after the tests.
func Command(t testing.TB) string {
	t.Helper()
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "docker-cli-"); built.err != nil {
			return
		}
		version, err := exec.Command("go", "list", "-m", "-f", "{{.Version}}", module).Output()
		if err != nil {
			built.err = err
			return
		}
		number := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(string(version)), "v"), "+incompatible")
		// The module has no go.mod, so the go command takes it for Go 1.16; it
		// says otherwise itself in most of its files, but not in all.
		cmd := exec.Command("go", "build", "-tags", "netgo,osusergo", "-gcflags", program+"=-lang=go1.26",
			"-ldflags", "-X "+module+"/cli/version.Version="+number, "-o", filepath.Join(built.dir, "docker"), program)
		cmd.Env = append(os.Environ(), "GOFLAGS=-buildvcs=false")
		built.out, built.err = cmd.CombinedOutput()
	})
	if built.err != nil {
		t.Fatalf("build the stock docker client: %v\n%s", built.err, built.out)
	}
	return filepath.Join(built.dir, "docker")
}

// Clean removes what Command built.
func Clean() error {
	if built.dir == "" {
		return nil
	}
	return os.RemoveAll(built.dir)
}
