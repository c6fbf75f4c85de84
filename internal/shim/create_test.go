//go:build linux

package shim_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/containerd/errdefs"

	"wherry/internal/shim/bundle"
	"wherry/internal/shim/client"
)

func TestPorts(t *testing.T) {
	b := newBox(t, "sleep")
	b.spec.Annotations[bundle.PublishedPorts] = `[{"proto":"tcp","hostIP":"","hostPort":0,"containerPort":80},{"proto":"udp","hostIP":"127.0.0.1","hostPort":0,"containerPort":53}]`
	b.run()
	ports, err := client.Ports(b.opts.Bundle)
	if err != nil || len(ports) != 2 || ports[0].HostPort == 0 || ports[1].HostPort == 0 {
		t.Fatalf("ports = %+v, %v", ports, err)
	}
	for _, host := range []string{"127.0.0.1", "::1"} {
		conn, err := net.Dial("tcp", net.JoinHostPort(host, strconv.Itoa(int(ports[0].HostPort))))
		if err != nil {
			t.Errorf("the port does not answer: %v", err)
			continue
		}
		conn.Close()
	}

	second := newBox(t, "sleep")
	second.spec.Annotations[bundle.Name] = "web"
	second.spec.Annotations[bundle.PublishedPorts] = fmt.Sprintf(`[{"proto":"tcp","hostPort":%d,"containerPort":80}]`, ports[0].HostPort)
	second.start()
	_, err = second.shim.Create(second.context())
	want := fmt.Sprintf("driver failed programming external connectivity on endpoint web: Bind for 0.0.0.0:%d failed: port is already allocated; publish another one, or stop what listens there", ports[0].HostPort)
	if err == nil || err.Error() != want {
		t.Errorf("a taken port gave %q, want %q", err, want)
	}

	if err := b.shim.Kill(b.context(), 9); err != nil {
		t.Fatal(err)
	}
	b.wait()
	if _, err := second.shim.Create(second.context()); err != nil {
		t.Errorf("the port is not free after its container's end: %v", err)
	}
}

func TestPublishedButDeaf(t *testing.T) {
	b := newBox(t, "hello")
	// The guest is built by Go, whose runtime imports sock_accept: it could
	// serve pre-opened listeners. A module that imports nothing cannot.
	b.spec.Annotations[bundle.Module] = silent(t, b.dir)
	b.spec.Annotations[bundle.PublishedPorts] = `[{"proto":"tcp","hostPort":0,"containerPort":80}]`
	b.run()
	if st := b.wait(); st.Code != 0 {
		t.Errorf("exit = %+v", st)
	}
	if got := b.logged("stderr"); !strings.HasPrefix(got, "wherry: warning: port ") || strings.Count(got, "\n") != 1 {
		t.Errorf("stderr = %q, want one warning", got)
	}
}

// silent writes a module with an empty _start.
func silent(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "silent.wasm")
	module := "\x00asm\x01\x00\x00\x00" +
		"\x01\x04\x01\x60\x00\x00" + // type () -> ()
		"\x03\x02\x01\x00" +
		"\x07\x0a\x01\x06_start\x00\x00" +
		"\x0a\x04\x01\x02\x00\x0b"
	if err := os.WriteFile(path, []byte(module), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestWhatCannotBeCreated(t *testing.T) {
	b := newBox(t)
	write := func(name, content string) string {
		path := filepath.Join(b.dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	elf := write("elf", "\x7fELF and so on, and so on")
	cut := write("cut.wasm", "\x00asm\x01\x00\x00\x00\x01\x7f\x01")
	if err := os.Mkdir(filepath.Join(b.spec.Root.Path, "dir"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, module, arg string
		class             func(error) bool
		text              string
	}{
		{"missing file", "", "/nothing.wasm", errdefs.IsNotFound, "no such file or directory"},
		{"a folder", "", "/dir", errdefs.IsInvalidArgument, "is a directory"},
		{"not wasm", elf, "/elf", errdefs.IsInvalidArgument, "ELF"},
		{"truncated", cut, "/cut.wasm", errdefs.IsInvalidArgument, "truncated"},
		{"missing module", filepath.Join(b.dir, "gone"), "/x", func(error) bool { return true }, "no such file or directory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := newBox(t)
			x.spec.Root = b.spec.Root
			x.spec.Process.Args = []string{c.arg}
			x.spec.Annotations[bundle.Module] = c.module
			x.start()
			_, err := x.shim.Create(x.context())
			if err == nil || !c.class(err) || !strings.Contains(err.Error(), c.text) || strings.Contains(err.Error(), "\n") {
				t.Errorf("create gave %v, want one line of its class with %q", err, c.text)
			}
			if _, err := x.shim.State(x.context()); !errdefs.IsNotFound(err) {
				t.Errorf("state after a failed create: %v", err)
			}
		})
	}
}

// A program in the root file system, and one that was copied over it.
func TestProgramInTheRoot(t *testing.T) {
	_, guest := programs(t)
	data, err := os.ReadFile(guest)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ place, arg string }{
		{"root", "/app.wasm"},
		{"root", "app.wasm"},
		{"upper/data", "/app.wasm"},
	} {
		t.Run(c.place+" "+c.arg, func(t *testing.T) {
			b := newBox(t)
			delete(b.spec.Annotations, bundle.Module)
			b.spec.Process.Args = []string{c.arg, "hello"}
			path := filepath.Join(b.dir, c.place, "app.wasm")
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			b.run().wait()
			if got := b.logged("stdout"); got != "hello \n" {
				t.Errorf("stdout = %q", got)
			}
			if _, err := os.Stat(path); err != nil {
				t.Errorf("the program is gone: %v", err)
			}
		})
	}
}

// Under containerd there are no annotations, and the root is not the engine's:
// nothing in it may be touched but by the guest.
func TestRootUnderContainerd(t *testing.T) {
	_, guest := programs(t)
	data, err := os.ReadFile(guest)
	if err != nil {
		t.Fatal(err)
	}
	b := newBox(t)
	b.spec.Annotations = map[string]string{bundle.Cache: b.spec.Annotations[bundle.Cache]}
	b.spec.Process.Args, b.spec.Process.Cwd = []string{"/app.wasm", "exit", "5"}, "/"
	path := filepath.Join(b.spec.Root.Path, "app.wasm")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if st := b.run().wait(); st.Code != 5 {
		t.Errorf("exit = %+v", st)
	}
	names, err := os.ReadDir(b.spec.Root.Path)
	if err != nil || len(names) != 1 || names[0].Name() != "app.wasm" {
		t.Errorf("the root holds %v, %v", names, err)
	}
}
