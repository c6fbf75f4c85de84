//go:build linux

package stock

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// startTime bounds how long a daemon may take to answer.
const startTime = 60 * time.Second

var built struct {
	once sync.Once
	dir  string
	err  error
}

// Set is a pair of a containerd and a Docker Engine.
type Set string

// The sets that tests run with.
const (
	Newest Set = "newest" // containerd 2.4 and Docker Engine 29
	Debian Set = "debian" // containerd 1.7 and Docker Engine 26.1, of Debian's packages
)

// Programs is the folder of a set's programs; they are built at first use.
func Programs(t testing.TB, set Set) string {
	t.Helper()
	dir := programs(t)
	if set == Debian {
		return filepath.Join(dir, "debian", "bin")
	}
	return dir
}

func programs(t testing.TB) string {
	t.Helper()
	built.once.Do(func() {
		var stderr bytes.Buffer
		cmd := exec.Command(filepath.Join(repository(t), "scripts", "stock-daemons"))
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			built.err = fmt.Errorf("%w\n%s", err, stderr.Bytes())
			return
		}
		built.dir = strings.TrimSpace(string(out))
	})
	if built.err != nil {
		t.Fatalf("build the stock daemons: %v", built.err)
	}
	return built.dir
}

// repository is the project's folder.
func repository(t testing.TB) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		t.Fatalf("find the project: %v", err)
	}
	return strings.TrimSpace(string(out))
}

// daemon is a process that a test started.
type daemon struct {
	cmd  *exec.Cmd
	log  string
	done chan struct{}
}

// start runs a daemon with its output in a file of dir.
func start(t testing.TB, dir, name string, env []string, args ...string) *daemon {
	t.Helper()
	d := &daemon{log: filepath.Join(dir, filepath.Base(name)+".log"), done: make(chan struct{})}
	f, err := os.OpenFile(d.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d.cmd = exec.Command(name, args...)
	d.cmd.Stdout, d.cmd.Stderr, d.cmd.Env = f, f, env
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(d.done)
		_ = d.cmd.Wait() // how it ended is in its log
	}()
	return d
}

// stop ends the daemon as an init system does.
func (d *daemon) stop(t testing.TB, sig syscall.Signal) {
	t.Helper()
	_ = d.cmd.Process.Signal(sig) // it may have ended
	select {
	case <-d.done:
	case <-time.After(startTime):
		_ = d.cmd.Process.Kill()
		<-d.done
		t.Errorf("%s did not end at signal %d", d.cmd.Path, sig)
	}
}

// await asks until the daemon answers, or ends.
func (d *daemon) await(t testing.TB, ask func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startTime)
	defer cancel()
	for {
		err := ask(ctx)
		if err == nil {
			return
		}
		select {
		case <-d.done:
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond): // daemons tell nobody that they are ready
			continue
		}
		log, _ := os.ReadFile(d.log) // what there is of it
		t.Fatalf("%s does not answer: %v\n%s", d.cmd.Path, err, tail(log, 4<<10))
	}
}

func tail(b []byte, n int) []byte { return b[max(0, len(b)-n):] }

// Containerd is a containerd of a test's own.
type Containerd struct {
	*daemon
	// Dir holds everything of it, Address is its socket.
	Dir, Address string
	programs     string
	env          []string
}

// StartContainerd runs a containerd which finds shims in the folders of path,
// before the stock ones, and ends it with the test.
func StartContainerd(t testing.TB, set Set, path ...string) *Containerd {
	t.Helper()
	c := &Containerd{Dir: t.TempDir(), programs: Programs(t, set)}
	// A socket's path is short.
	run, err := os.MkdirTemp("/run", "c")
	if err != nil {
		t.Fatal(err)
	}
	c.Address = filepath.Join(run, "c.sock")
	version := 3
	if set == Debian {
		version = 2
	}
	config := fmt.Sprintf(`version = %d
root = %q
state = %q
[grpc]
  address = %q
[ttrpc]
  address = %q
%s`, version, filepath.Join(c.Dir, "root"), filepath.Join(run, "state"), c.Address, c.Address+".ttrpc", cri(t, set, c.Dir))
	if err := os.WriteFile(c.Config(), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	c.env = append(os.Environ(), "PATH="+strings.Join(append(path, c.programs, os.Getenv("PATH")), ":"))
	c.Start(t)
	t.Cleanup(func() { c.stop(t, syscall.SIGTERM) })
	return c
}

// Config is the daemon's configuration file. A change counts from the next start
// on.
func (c *Containerd) Config() string { return filepath.Join(c.Dir, "config.toml") }

// Start runs the daemon, again after Kill or Stop.
func (c *Containerd) Start(t testing.TB) {
	t.Helper()
	c.daemon = start(t, c.Dir, filepath.Join(c.programs, "containerd"), c.env, "--config", c.Config())
	c.await(t, func(ctx context.Context) error { return c.Ctr(ctx, "version").Run() })
}

// Stop ends the daemon; its containers live on.
func (c *Containerd) Stop(t testing.TB) { t.Helper(); c.stop(t, syscall.SIGTERM) }

// Ctr prepares a call of containerd's own client.
func (c *Containerd) Ctr(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(c.programs, "ctr"), append([]string{"--address", c.Address}, args...)...)
	cmd.Env = c.env
	return cmd
}

// Run calls ctr and gives what it printed; it must succeed.
func (c *Containerd) Run(t testing.TB, args ...string) string {
	t.Helper()
	out, err := c.Ctr(t.Context(), args...).CombinedOutput()
	if err != nil {
		t.Fatalf("ctr %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// Log is what the daemon has said.
func (c *Containerd) Log(t testing.TB) string {
	t.Helper()
	data, err := os.ReadFile(c.log)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
