package shim_test

import (
	"os/exec"
	"strings"
	"testing"
)

// forbidden must not be in the shim's program: each exec of it, and a container
// is three, pays for what it links, and each line is also something that a
// guest which broke out would find.
var forbidden = []string{
	"github.com/docker/cli",
	"github.com/moby/moby/",
	"github.com/moby/buildkit",
	"github.com/containerd/containerd/v2/core/remotes",
	"github.com/containerd/containerd/v2/core/metadata",
	"github.com/containerd/containerd/v2/pkg/shim",
	"go.etcd.io/bbolt",
	"go.opentelemetry.io",
	"net/http",
	"crypto/tls",
	"google.golang.org/grpc/internal/transport",
	"wherry/internal/store",
	"wherry/internal/daemon",
	"wherry/internal/api",
	"wherry/internal/cli",
	"wherry/internal/build",
}

func TestWhatTheShimLinks(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "-tags", "netgo,osusergo", "wherry/cmd/containerd-shim-wherry-v1")
	cmd.Env = append(cmd.Environ(), "GOOS=linux")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for pkg := range strings.Lines(string(out)) {
		pkg = strings.TrimSpace(pkg)
		for _, f := range forbidden {
			if pkg == f || strings.HasPrefix(pkg, strings.TrimSuffix(f, "/")+"/") {
				t.Errorf("the shim links %s", pkg)
			}
		}
		// Of gRPC there are the codes, in which ttrpc too tells its errors.
		if pkg == "google.golang.org/grpc" {
			t.Errorf("the shim links a gRPC server")
		}
	}
}
