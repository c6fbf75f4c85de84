//go:build linux && daemons

package stock

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wherry/internal/testutil/stock"
)

// application is a guest and a Linux program, each of which serves the other.
const application = `
services:
  web:
    image: ` + probeName + `
    platform: wasi/wasm32
    runtime: io.containerd.wasmedge.v1
    pull_policy: never
    command: [serve, "0.0.0.0:8001", dial, "store:8002", sleep]
    ports: ["127.0.0.1::8001"]
    depends_on:
      store: {condition: service_healthy}
  store:
    image: ` + nativeName + `
    pull_policy: never
    command: [serve, "0.0.0.0:8002", sleep]
    healthcheck:
      test: [CMD, /probe, dial, "127.0.0.1:8002"]
      interval: 200ms
      retries: 100
`

// Compose brings a guest and a Linux service up together, they find each other
// by their names, and down again.
func TestCompose(t *testing.T) {
	for _, set := range []stock.Set{stock.Newest, stock.Debian} {
		t.Run(string(set), func(t *testing.T) {
			e := startEngine(t, set)
			plugins := filepath.Join(e.Dir, "client", "cli-plugins")
			if err := os.MkdirAll(plugins, 0o700); err != nil {
				t.Fatal(err)
			}
			// One for both: it belongs to the client.
			if err := os.Symlink(filepath.Join(stock.Programs(t, stock.Newest), "docker-compose"), filepath.Join(plugins, "docker-compose")); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "compose.yaml")
			if err := os.WriteFile(file, []byte(application), 0o600); err != nil {
				t.Fatal(err)
			}
			compose := func(args ...string) string {
				t.Helper()
				return e.Run(t, append([]string{"compose", "--project-name", "app", "--progress", "quiet", "--file", file}, args...)...)
			}
			before := e.Run(t, "network", "ls", "--quiet")

			compose("up", "--detach", "--wait")
			await(t, "the guest hears the Linux service", func() bool {
				return strings.Contains(compose("logs", "--no-color", "web"), "served 0.0.0.0:8002")
			})
			if out := compose("exec", "--no-TTY", "store", "/probe", "dial", "web:8001"); !strings.Contains(out, "served 0.0.0.0:8001") {
				t.Errorf("the Linux service hears %q of the guest", out)
			}
			if out := dialed(t, compose("port", "web", "8001")); out != "served 0.0.0.0:8001\n" {
				t.Errorf("outside one hears %q of the guest", out)
			}
			if out := compose("ps", "--format", "{{.Service}} {{.State}}"); !strings.Contains(out, "web running") || !strings.Contains(out, "store running") {
				t.Errorf("the services are\n%s", out)
			}
			compose("restart", "web")
			await(t, "the guest hears it again", func() bool {
				return strings.Count(compose("logs", "--no-color", "web"), "served 0.0.0.0:8002") == 2
			})
			compose("down", "--timeout", "5")
			if out := e.Run(t, "ps", "--all", "--quiet"); out != "" {
				t.Errorf("containers are left: %s", out)
			}
			if after := e.Run(t, "network", "ls", "--quiet"); after != before {
				t.Errorf("the networks are\n%s\nwere\n%s", after, before)
			}
		})
	}
}

// dialed gives all that a server says.
func dialed(t *testing.T, address string) string {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
