//go:build linux

package stock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Docker is a Docker Engine of a test's own, on a containerd of its own.
type Docker struct {
	*daemon
	Containerd *Containerd
	// Dir holds everything of it, Host is the address of its API.
	Dir, Host string
	client    string
	args      []string
}

// StartDocker runs a Docker Engine with the default settings of a new
// installation, over a containerd which finds shims in the folders of path,
// and ends it with the test. client is the docker command to drive it with.
func StartDocker(t testing.TB, set Set, client string, path ...string) *Docker {
	t.Helper()
	d := &Docker{Containerd: StartContainerd(t, set, path...), Dir: t.TempDir(), client: client}
	run, err := os.MkdirTemp("/run", "d")
	if err != nil {
		t.Fatal(err)
	}
	d.Host = "unix://" + filepath.Join(run, "d.sock")
	config := filepath.Join(d.Dir, "daemon.json")
	if err := os.WriteFile(config, []byte(`{"features": {"containerd-snapshotter": true}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	d.args = []string{
		"--config-file", config, "--host", d.Host, "--containerd", d.Containerd.Address,
		"--data-root", filepath.Join(d.Dir, "data"), "--exec-root", filepath.Join(run, "exec"),
		"--pidfile", filepath.Join(run, "pid"), "--userland-proxy-path", filepath.Join(d.Containerd.programs, "docker-proxy"),
	}
	d.Start(t)
	t.Cleanup(func() {
		d.stop(t, syscall.SIGTERM)
		// One that found containers alive at its start leaves its own folder mounted.
		data := filepath.Join(d.Dir, "data")
		if err := unix.Unmount(data, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) {
			t.Errorf("unmount %s: %v", data, err)
		}
	})
	return d
}

// Start runs the daemon, again after Kill or Stop.
func (d *Docker) Start(t testing.TB) {
	t.Helper()
	d.daemon = start(t, d.Dir, filepath.Join(d.Containerd.programs, "dockerd"), d.Containerd.env, d.args...)
	d.await(t, func(ctx context.Context) error {
		out, err := d.Command(ctx, "version", "--format", "{{.Server.Version}}").CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	})
}

// Stop ends the daemon; with live-restore its containers live on.
func (d *Docker) Stop(t testing.TB) { t.Helper(); d.stop(t, syscall.SIGTERM) }

// Command prepares a call of the docker command.
func (d *Docker) Command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, d.client, args...)
	cmd.Env = append(os.Environ(), "DOCKER_HOST="+d.Host, "DOCKER_CONFIG="+filepath.Join(d.Dir, "client"))
	return cmd
}

// Run calls docker and gives what it printed, without the line's end; it must
// succeed.
func (d *Docker) Run(t testing.TB, args ...string) string {
	t.Helper()
	out, err := d.Command(t.Context(), args...).CombinedOutput()
	if err != nil {
		t.Fatalf("docker %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSuffix(string(out), "\n")
}

// Try calls docker and gives what it printed and its exit code.
func (d *Docker) Try(t testing.TB, args ...string) (out string, code int) {
	t.Helper()
	cmd := d.Command(t.Context(), args...)
	text, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatalf("docker %s: %v", strings.Join(args, " "), err)
	}
	return strings.TrimSuffix(string(text), "\n"), cmd.ProcessState.ExitCode()
}

// Signal sends the daemon a signal.
func (d *Docker) Signal(t testing.TB, sig syscall.Signal) {
	t.Helper()
	if err := d.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// Pid is the daemon's process.
func (d *Docker) Pid() int { return d.cmd.Process.Pid }

// Pid is the daemon's process.
func (c *Containerd) Pid() int { return c.cmd.Process.Pid }
