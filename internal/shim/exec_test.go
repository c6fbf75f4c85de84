//go:build linux

package shim_test

import (
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"wherry/internal/shim/bundle"
	"wherry/internal/shim/client"
	"wherry/internal/testutil/kernel"
)

// sleeping is a container whose guest sleeps.
func sleeping(t *testing.T, change func(*box)) *box {
	t.Helper()
	b := newBox(t, "sleep")
	if change != nil {
		change(b)
	}
	return b.run()
}

// further describes a process in the container.
func (b *box) further(args ...string) *specs.Process {
	return &specs.Process{Args: args, Env: []string{"E=x"}, Cwd: "/", User: b.spec.Process.User}
}

// exec runs a process to its end and gives all its output.
func (b *box) exec(p *specs.Process, stdin string) (output string, code int, err error) {
	b.t.Helper()
	mode := ""
	if stdin != "" {
		mode = bundle.StdinOnce
	}
	e, err := b.shim.Exec(b.context(), "e1", p, mode)
	if err != nil {
		return "", 0, err
	}
	defer func() {
		if err := e.Delete(b.context()); err != nil {
			b.t.Errorf("delete the exec: %v", err)
		}
	}()
	conn, err := e.Attach(b.context())
	if err != nil {
		b.t.Fatal(err)
	}
	defer conn.Close()
	if _, err := e.Start(b.context()); err != nil {
		return "", 0, err
	}
	if stdin != "" {
		if _, err := io.WriteString(conn, stdin); err != nil {
			b.t.Fatal(err)
		}
		if err := conn.CloseWrite(); err != nil {
			b.t.Fatal(err)
		}
	}
	data, err := io.ReadAll(conn)
	if err != nil {
		b.t.Fatal(err)
	}
	code, _, err = e.Wait(b.context())
	if err != nil {
		b.t.Fatal(err)
	}
	var text strings.Builder
	for len(data) >= 8 {
		n := 8 + int(binary.BigEndian.Uint32(data[4:]))
		text.Write(data[8:n])
		data = data[n:]
	}
	return text.String(), code, nil
}

// mustExec is exec for a process that ends well.
func (b *box) mustExec(p *specs.Process) string {
	b.t.Helper()
	out, code, err := b.exec(p, "")
	if err != nil || code != 0 {
		b.t.Fatalf("exec %q: code %d, %v, output %q", p.Args, code, err, out)
	}
	return out
}

func TestExec(t *testing.T) {
	b := sleeping(t, func(b *box) {
		b.spec.Mounts = append(b.spec.Mounts, specs.Mount{Destination: "/tmp", Type: "tmpfs", Source: "tmpfs"})
	})
	if out := b.mustExec(b.further("/app.wasm", "hello", "you")); !strings.Contains(out, "hello you\n") || !strings.Contains(out, "to stderr\n") {
		t.Errorf("output %q", out)
	}
	p := b.further("/app.wasm", "env")
	p.Cwd = "/else/where"
	if out := b.mustExec(p); !strings.Contains(out, "E=x\n") || strings.Contains(out, "A=b") || !strings.Contains(out, "cwd /else/where <nil>") {
		t.Errorf("environment %q", out)
	}
	for _, path := range []string{"/shared", "/tmp/shared"} {
		b.mustExec(b.further("/app.wasm", "write", path, "text"))
		if out := b.mustExec(b.further("app.wasm", "read", path)); !strings.HasSuffix(out, "text") {
			t.Errorf("%s holds %q", path, out)
		}
	}
	if out, code, err := b.exec(b.further("/app.wasm", "cat"), "some input"); err != nil || code != 0 || !strings.Contains(out, "some input") || !strings.Contains(out, "end of input") {
		t.Errorf("with input: %q, %d, %v", out, code, err)
	}
	if _, code, err := b.exec(b.further("/app.wasm", "exit", "7"), ""); err != nil || code != 7 {
		t.Errorf("exit code %d, %v", code, err)
	}
	if _, code, err := b.exec(b.further("/app.wasm", "trap"), ""); err != nil || code != 134 {
		t.Errorf("exit code of a trap %d, %v", code, err)
	}
	p = b.further("/app.wasm", "hello")
	p.Terminal = true
	if out := b.mustExec(p); !strings.Contains(out, "hello \r\n") {
		t.Errorf("on a terminal: %q", out)
	}
}

func TestExecOfAnotherModule(t *testing.T) {
	b := newBox(t, "sleep")
	module, err := os.ReadFile(b.spec.Annotations[bundle.Module])
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"other.wasm": module, "text": []byte("no module")} {
		if err := os.WriteFile(filepath.Join(b.spec.Root.Path, name), data, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	b.run()
	if out := b.mustExec(b.further("/other.wasm", "hello")); !strings.Contains(out, "hello") {
		t.Errorf("output %q", out)
	}
	for _, c := range []struct{ arg, words string }{
		{"/missing.wasm", "no such file or directory"},
		{"missing", "no such file or directory"},
		{"/text", "exec format error"},
	} {
		if _, _, err := b.exec(b.further(c.arg), ""); err == nil || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %v, want %q", c.arg, err, c.words)
		}
	}
}

func TestExecIsInTheContainer(t *testing.T) {
	score := 321
	b := sleeping(t, func(b *box) {
		b.spec.Process.OOMScoreAdj = &score
		b.spec.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 321, Hard: 321}}
	})
	ctx := b.context()
	e, err := b.shim.Exec(ctx, "long", b.further("/app.wasm", "sleep"), "")
	if err != nil {
		t.Fatal(err)
	}
	pid, err := e.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"pid", "ipc", "uts", "net", "user"} {
		if a, c := kernel.Namespace(t, pid, kind), kernel.Namespace(t, b.pid(), kind); a != c {
			t.Errorf("%s namespace %s, the container's is %s", kind, a, c)
		}
	}
	for _, key := range []string{"NoNewPrivs", "Seccomp", "CapEff", "CapBnd", "Uid"} {
		if a, c := statusOf(t, pid, key), statusOf(t, b.pid(), key); a != c {
			t.Errorf("%s is %s, the container's is %s", key, a, c)
		}
	}
	for _, file := range []string{"oom_score_adj", "limits"} {
		text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/" + file)
		if err != nil || !strings.Contains(string(text), "321") {
			t.Errorf("%s: %q, %v", file, text, err)
		}
	}
	pids, err := b.shim.Pids(ctx)
	if err != nil || !slices.Contains(pids, pid) || len(pids) != 2 {
		t.Errorf("pids %v, %v, want %d among two", pids, err, pid)
	}
	if err := e.Delete(ctx); !errdefs.IsFailedPrecondition(err) {
		t.Errorf("delete of a running process: %v", err)
	}
	if err := e.Kill(ctx, int(unix.SIGTERM)); err != nil {
		t.Fatal(err)
	}
	if code, _, err := e.Wait(ctx); err != nil || code != 143 {
		t.Errorf("exit code %d, %v", code, err)
	}
	if err := e.Delete(ctx); err != nil {
		t.Error(err)
	}

	var left []*client.Exec
	for _, id := range []string{"a", "b"} {
		e, err := b.shim.Exec(ctx, id, b.further("/app.wasm", "loop"), "")
		if err == nil {
			_, err = e.Start(ctx)
		}
		if err != nil {
			t.Fatal(err)
		}
		left = append(left, e)
	}
	if _, err := b.shim.Exec(ctx, "a", b.further("/app.wasm"), ""); !errdefs.IsAlreadyExists(err) {
		t.Errorf("a second process of the same id: %v", err)
	}
	if err := b.shim.Pause(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := b.shim.Exec(ctx, "c", b.further("/app.wasm"), ""); !errdefs.IsFailedPrecondition(err) || !strings.Contains(err.Error(), "paused") {
		t.Errorf("exec in a paused container: %v", err)
	}
	if err := b.shim.Resume(ctx); err != nil {
		t.Fatal(err)
	}
	if err := b.shim.Kill(ctx, int(unix.SIGKILL)); err != nil {
		t.Fatal(err)
	}
	b.wait()
	for _, e := range left {
		if code, _, err := e.Wait(ctx); err != nil || code != 137 {
			t.Errorf("a process of a container that has ended: %d, %v", code, err)
		}
	}
	if _, err := b.shim.Exec(ctx, "d", b.further("/app.wasm"), ""); err == nil {
		t.Error("a container that has ended took another process")
	}
}

func TestExecUsers(t *testing.T) {
	b := sleeping(t, nil)
	p := b.further("/app.wasm", "hello")
	p.User = specs.User{UID: 1234, GID: 1234}
	if _, _, err := b.exec(p, ""); !errdefs.IsInvalidArgument(err) {
		t.Errorf("another user: %v", err)
	}
}
