package test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"wherry/internal/testutil/docker"
	"wherry/internal/testutil/netns"
	"wherry/internal/testutil/wherry"
)

// serving is an engine with the example server's image, "hello".
func serving(t *testing.T) *wherry.Engine {
	t.Helper()
	e := wherry.Start(t)
	e.Must("build", "-q", "-t", "hello", filepath.Join(wherry.Root(t), "examples", "hello-go"))
	return e
}

// status is what ps says of a container, empty where there is none.
func status(e *wherry.Engine, name string) string {
	return e.Must("ps", "-a", "--filter", "name=^"+name+"$", "--format", "{{.State}} {{.Status}}")
}

// awaitPage asks a server until it answers its page.
func awaitPage(t *testing.T, addr string) {
	t.Helper()
	client := &http.Client{Timeout: 5 * time.Second}
	defer client.CloseIdleConnections()
	var err error
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		if err = getOne(client, addr); err == nil {
			return
		}
	}
	t.Fatalf("%s does not serve: %v", addr, err)
}

// The daemon is killed: its containers serve on, and the next daemon has them
// with their ports, logs and exit codes.
func TestContainersOutliveTheDaemon(t *testing.T) {
	e := serving(t)
	e.Must("run", "-d", "--name", "web", "-p", "127.0.0.1::8080", "hello")
	e.Must("run", "-d", "--rm", "--name", "brief", "hello")
	addr := e.Must("port", "web", "8080")
	awaitPage(t, addr)
	logs := e.Must("logs", "web")

	e.KillDaemon(syscall.SIGKILL)
	awaitPage(t, addr)
	e.StartDaemon()
	for _, name := range []string{"web", "brief"} {
		if s := status(e, name); !strings.HasPrefix(s, "running Up ") {
			t.Errorf("%s: %q", name, s)
		}
	}
	if got := e.Must("port", "web", "8080"); got != addr {
		t.Errorf("port %s, was %s", got, addr)
	}
	if got := e.Must("logs", "web"); !strings.HasPrefix(got, logs) {
		t.Errorf("logs %q, began with %q", got, logs)
	}
	awaitPage(t, addr)
	e.Must("stop", "web", "brief")
	if s := status(e, "web"); !strings.HasPrefix(s, "exited Exited (143)") {
		t.Errorf("stopped: %q", s)
	}
	if s := status(e, "brief"); s != "" {
		t.Errorf("a container with --rm is left: %q", s)
	}
}

// Everything is killed and the runtime folder emptied, as when the machine
// loses power: the next daemon starts what is to run always, and knows how the
// others ended.
func TestContainersComeBack(t *testing.T) {
	e := serving(t)
	e.Must("run", "-d", "--name", "always", "--restart", "always", "-p", "127.0.0.1::8080", "-v", "kept:/kept", "hello")
	e.Must("run", "-d", "--name", "stopped", "--restart", "unless-stopped", "hello")
	e.Must("stop", "stopped")
	e.Must("run", "-d", "--name", "plain", "hello")
	e.Must("run", "-d", "--rm", "--name", "brief", "hello")
	addr := e.Must("port", "always", "8080")
	awaitPage(t, addr)
	logs := e.Must("logs", "always")

	e.KillDaemon(syscall.SIGKILL)
	for len(e.Processes()) > 0 {
		for _, p := range e.Processes() {
			// It may be gone: a shim ends by itself with its container.
			_ = syscall.Kill(p.PID, syscall.SIGKILL)
		}
	}
	for _, dir := range []string{filepath.Dir(e.Socket()), filepath.Join(e.Data(), "run")} {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	e.StartDaemon()
	// It is started beside the first commands.
	addr = ""
	for deadline := time.Now().Add(30 * time.Second); addr == "" && time.Now().Before(deadline); {
		out, _, _ := e.Run("port", "always", "8080")
		addr = strings.TrimSpace(out)
	}
	awaitPage(t, addr)
	for name, want := range map[string]string{
		"always": `^running Up `, "stopped": `^exited Exited \(143\)`, "plain": `^exited Exited \(137\)`, "brief": `^$`,
	} {
		if s := status(e, name); !regexp.MustCompile(want).MatchString(s) {
			t.Errorf("%s: %q, want %s", name, s, want)
		}
	}
	if got := e.Must("logs", "always"); !strings.HasPrefix(got, logs) || len(got) <= len(logs) {
		t.Errorf("logs %q, want those of both runs, the first's %q", got, logs)
	}
	if left := e.Must("volume", "ls", "-q"); left != "kept" {
		t.Errorf("volumes %q", left)
	}
}

// Docker's documented line gives the same with the stock client as with wherry.
func TestStockClientRunsTheLine(t *testing.T) {
	const run = ` run -dp 8080:8080 --name=wasm-example --runtime=io.containerd.wasmedge.v1 --platform=wasi/wasm32 wherry/wasm-example`
	var script strings.Builder
	fmt.Fprintf(&script, "set -e\nwherry build -q -t wherry/wasm-example %s\neval \"$(wherry env)\"\n", filepath.Join(wherry.Root(t), "examples", "hello-go"))
	for _, client := range []string{"wherry", docker.Command(t)} {
		fmt.Fprintf(&script, `echo ==
%[1]s %[2]s
curl -sS --max-time 30 http://127.0.0.1:8080/
%[1]s ps --format '{{.Image}} {{.Command}} {{.State}} {{.Ports}} {{.Names}}'
%[1]s inspect -f '{{.HostConfig.Runtime}} {{.Config.Image}} {{.State.Status}} {{json .NetworkSettings.Ports}}' wasm-example
%[1]s stop wasm-example
%[1]s ps -a --format '{{.State}} {{.Names}}'
%[1]s logs wasm-example
%[1]s rm wasm-example
`, client, run)
	}
	dir, env := alone(t)
	cmd := netns.Command(t, "sh", "-c", script.String())
	cmd.Dir, cmd.Env = dir, append(env, cmd.Env[len(cmd.Env)-1])
	stdout, stderr, code := wherry.Output(t, cmd)
	if code != 0 {
		t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
	}
	stdout = regexp.MustCompile(`\b[0-9a-f]{64}\b`).ReplaceAllString(stdout, "ID")
	parts := strings.Split(stdout, "==\n")
	if len(parts) != 3 || parts[1] != parts[2] {
		t.Errorf("the clients differ:\n%s\nstderr:\n%s", stdout, stderr)
	}
	for _, want := range []string{
		"ID\nHello from wasi/wasm\n", "0.0.0.0:8080->8080/tcp, [::]:8080->8080/tcp wasm-example\n",
		"io.containerd.wasmedge.v1 wherry/wasm-example running", "exited wasm-example\n",
	} {
		if !strings.Contains(parts[1], want) {
			t.Errorf("no %q in\n%s", want, parts[1])
		}
	}
}
