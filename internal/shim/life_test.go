//go:build linux

package shim_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"

	"wherry/internal/shim/bundle"
	"wherry/internal/shim/client"
)

func TestKill(t *testing.T) {
	for _, sig := range []unix.Signal{unix.SIGTERM, unix.SIGKILL, unix.SIGUSR1, unix.SIGQUIT} {
		t.Run(unix.SignalName(sig), func(t *testing.T) {
			b := newBox(t, "loop").run()
			// Signals that a guest would not see change nothing.
			for _, ignored := range []unix.Signal{unix.SIGWINCH, unix.SIGCHLD, unix.SIGURG} {
				if err := b.shim.Kill(b.context(), int(ignored)); err != nil {
					t.Errorf("%v: %v", ignored, err)
				}
			}
			if err := b.shim.Kill(b.context(), int(sig)); err != nil {
				t.Fatal(err)
			}
			if st := b.wait(); st.Code != 128+int(sig) || st.Reason != "" {
				t.Errorf("exit = %+v, want %d without a reason", st, 128+int(sig))
			}
			if err := b.shim.Kill(b.context(), int(sig)); !errdefs.IsNotFound(err) {
				t.Errorf("a second kill gave %v, want ErrNotFound", err)
			}
		})
	}
}

func TestKillFromOutside(t *testing.T) {
	b := newBox(t, "loop").run()
	pids, err := b.shim.Pids(b.context())
	if err != nil || len(pids) != 1 {
		t.Fatalf("pids = %v, %v", pids, err)
	}
	if err := unix.Kill(pids[0], unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if st := b.wait(); st.Code != 137 || !strings.Contains(st.Reason, "from outside") {
		t.Errorf("exit = %+v, want 137 and who did it", st)
	}
}

func TestPauseAndStates(t *testing.T) {
	b := newBox(t, "sleep").create()
	expect := func(want client.Status) {
		t.Helper()
		st, err := b.shim.State(b.context())
		if err != nil || st.Status != want {
			t.Fatalf("state = %+v, %v; want %s", st, err, want)
		}
	}
	try := func(call func(context.Context) error) {
		t.Helper()
		if err := call(b.context()); err != nil {
			t.Fatal(err)
		}
	}
	expect(client.Created)
	if err := b.shim.Pause(b.context()); !errdefs.IsFailedPrecondition(err) {
		t.Errorf("pause of a created container: %v", err)
	}
	try(b.shim.Start)
	expect(client.Running)
	if err := b.shim.Start(b.context()); !errdefs.IsFailedPrecondition(err) {
		t.Errorf("second start: %v", err)
	}
	if _, err := b.shim.Delete(b.context()); !errdefs.IsFailedPrecondition(err) {
		t.Errorf("delete of a running container: %v", err)
	}
	try(b.shim.Pause)
	expect(client.Paused)
	pid, err := b.shim.Pids(b.context())
	if err != nil {
		t.Fatal(err)
	}
	if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid[0])); err != nil || !strings.Contains(string(stat), "T (stopped)") {
		t.Errorf("the process is not stopped: %v", err)
	}
	try(b.shim.Resume)
	expect(client.Running)
	m, err := b.shim.Stats(b.context())
	if err != nil || m.GetMemory().GetUsage() == 0 || m.GetPids().GetCurrent() == 0 {
		t.Errorf("stats = %v, %v", m, err)
	}
	try(b.shim.Pause)
	if err := b.shim.Kill(b.context(), int(unix.SIGTERM)); err != nil {
		t.Fatal(err)
	}
	if st := b.wait(); st.Code != 143 {
		t.Errorf("exit of a paused container = %+v, want 143", st)
	}
	expect(client.Stopped)
}

func TestDeleteOfACreatedContainer(t *testing.T) {
	b := newBox(t, "sleep").create()
	st, err := b.shim.Delete(b.context())
	if err != nil || st.Code != 137 {
		t.Errorf("delete = %+v, %v; want 137", st, err)
	}
	if _, err := b.shim.State(b.context()); !errdefs.IsNotFound(err) {
		t.Errorf("state after delete: %v", err)
	}
}

func TestEnvironment(t *testing.T) {
	b := newBox(t, "env")
	b.spec.Hostname = "box"
	b.run().wait()
	if got, want := b.logged("stdout"), "PATH=/bin\nA=b\nPWD=/work\nHOSTNAME=box\ncwd /work <nil>\n"; got != want {
		t.Errorf("environment = %q, want %q", got, want)
	}
}

func TestParallelExits(t *testing.T) {
	const n = 200
	const atOnce = 8
	shim, _ := programs(t)
	_ = shim
	var wg sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	// One pod, so that one shim has all of them as children.
	first := newBox(t, "exit", "0")
	first.spec.Annotations[bundle.Sandbox] = "pod"
	first.start()
	for i := range n {
		wg.Add(1)
		slots <- struct{}{}
		go func() {
			defer wg.Done()
			defer func() { <-slots }()
			want := i % 120
			b := newBox(t, "exit", strconv.Itoa(want))
			b.opts.Address = first.opts.Address
			b.opts.ID = fmt.Sprintf("box%d", i)
			b.spec.Annotations[bundle.Sandbox] = "pod"
			b.write()
			var err error
			if b.shim, err = client.Start(b.context(), b.opts); err != nil {
				t.Error(err)
				return
			}
			defer b.shim.Close()
			if _, err := b.shim.Create(b.context()); err != nil {
				t.Error(err)
				return
			}
			if err := b.shim.Start(b.context()); err != nil {
				t.Error(err)
				return
			}
			st, err := b.shim.Wait(b.context())
			if err != nil || st.Code != want {
				t.Errorf("container %d: exit = %+v, %v; want %d", i, st, err, want)
			}
			if _, err := b.shim.Delete(b.context()); err != nil {
				t.Error(err)
			}
		}()
	}
	wg.Wait()
}

func TestDeadShim(t *testing.T) {
	b := newBox(t, "loop").run()
	pids, err := b.shim.Pids(b.context())
	if err != nil {
		t.Fatal(err)
	}
	shim := parentOf(t, pids[0])
	if err := unix.Kill(shim, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-b.shim.Gone()
	if _, err := b.shim.State(b.context()); !errdefs.IsUnavailable(err) {
		t.Errorf("state of a dead shim: %v, want ErrUnavailable", err)
	}
	st, err := client.Delete(b.context(), b.opts)
	if err != nil || st.Code != 137 {
		t.Errorf("delete = %+v, %v; want 137", st, err)
	}
	if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pids[0])); err == nil && !strings.Contains(string(stat), ") Z ") {
		t.Errorf("the container process lives on: %s", stat)
	}
	entries, err := os.ReadDir(filepath.Join(b.dir, "s"))
	if err != nil || len(entries) != 0 {
		t.Errorf("sockets are left: %v, %v", entries, err)
	}
	if file, err := client.ExitFile(b.opts.Bundle); err != nil || file.Code != 137 || file.Reason == "" {
		t.Errorf("exit.json = %+v, %v", file, err)
	}
}

// parentOf gives a process's parent.
func parentOf(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if n, ok := strings.CutPrefix(line, "PPid:"); ok {
			ppid, err := strconv.Atoi(strings.TrimSpace(n))
			if err != nil {
				t.Fatal(err)
			}
			return ppid
		}
	}
	t.Fatal("no PPid")
	return 0
}

// A dead shim takes its container along at once, without anybody's delete.
func TestContainerDiesWithItsShim(t *testing.T) {
	b := newBox(t, "loop").run()
	pids, err := b.shim.Pids(b.context())
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.PidfdOpen(pids[0], 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Kill(parentOf(t, pids[0]), unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 20000); n != 1 {
		t.Errorf("the container's process did not die with its shim: %v", err)
	}
}

func TestContainerProcessIsAlone(t *testing.T) {
	b := newBox(t, "sleep").run()
	pids, err := b.shim.Pids(b.context())
	if err != nil {
		t.Fatal(err)
	}
	pid := pids[0]
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(status), "NoNewPrivs:\t1") {
		t.Error("the container's process may gain privileges")
	}
	if pgid, err := unix.Getpgid(pid); err != nil || pgid != pid {
		t.Errorf("process group = %d, %v; want its own, %d", pgid, err, pid)
	}
	if sid, err := unix.Getsid(pid); err != nil || sid != pid {
		t.Errorf("session = %d, %v; want its own, %d", sid, err, pid)
	}
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", pid))
	if err != nil || !bytes.Contains(bytes.Join(bytes.Fields(limits), []byte(" ")), []byte("Max core file size 0 0")) {
		t.Errorf("it may write cores: %v", err)
	}
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil || strings.Contains(string(env), "HOME=") {
		t.Errorf("it has the environment of its shim: %q, %v", env, err)
	}
}

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
	want := fmt.Sprintf("driver failed programming external connectivity on endpoint web: Bind for 0.0.0.0:%d failed: port is already allocated", ports[0].HostPort)
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

func TestMemoryLimit(t *testing.T) {
	b := newBox(t, "grow")
	b.limitMemory(32 << 20)
	st := b.run().wait()
	if st.Code == 0 || !strings.Contains(st.Reason, "memory.grow failed at limit 32 MiB") {
		t.Errorf("exit = %+v, want the limit as its reason", st)
	}
	if got := b.logged("stderr"); !strings.Contains(got, "wherry: memory.grow failed at limit 32 MiB") {
		t.Errorf("stderr does not tell of the limit: %.300q", got)
	}
}

func TestCompiledOnce(t *testing.T) {
	b := newBox(t, "exit", "0")
	cache := filepath.Join(b.dir, "code")
	b.spec.Annotations[bundle.Cache] = cache
	b.run().wait()
	entries := func() (files []os.FileInfo) {
		t.Helper()
		paths, err := filepath.Glob(filepath.Join(cache, "*.code"))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range paths {
			info, err := os.Stat(p)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, info)
		}
		return files
	}
	first := entries()
	if len(first) != 1 || first[0].Mode().Perm() != 0o400 {
		t.Fatalf("cache = %v, want one entry that nobody can write", first)
	}
	again := newBox(t, "exit", "0")
	again.spec.Annotations[bundle.Cache] = cache
	again.run().wait()
	second := entries()
	if len(second) != 1 || !os.SameFile(first[0], second[0]) {
		t.Errorf("the module was compiled again")
	}

	// What was damaged is refused by the engine, and made anew.
	path := filepath.Join(cache, first[0].Name())
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, first[0].Size()/2); err != nil {
		t.Fatal(err)
	}
	third := newBox(t, "exit", "9")
	third.spec.Annotations[bundle.Cache] = cache
	if st := third.run().wait(); st.Code != 9 {
		t.Errorf("after the cache was damaged: exit = %+v", st)
	}
	if files := entries(); len(files) != 1 || os.SameFile(first[0], files[0]) {
		t.Errorf("the damaged code is still there")
	}
}

func TestAttach(t *testing.T) {
	b := newBox(t, "lines")
	b.spec.Annotations[bundle.Stdin] = bundle.StdinOnce
	b.create()
	var conns []*net.UnixConn
	for range 3 {
		c, err := b.shim.Attach(b.context())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		conns = append(conns, c)
	}
	if err := b.shim.Start(b.context()); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conns[1], "one\ntwo\n"); err != nil {
		t.Fatal(err)
	}
	if err := conns[1].CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if st := b.wait(); st.Code != 0 {
		t.Errorf("exit = %+v", st)
	}
	for i, c := range conns {
		got, err := io.ReadAll(c)
		if err != nil {
			t.Fatal(err)
		}
		if text, want := demultiplex(t, got), "got one\ngot two\n"; text != want {
			t.Errorf("client %d got %q, want %q", i, text, want)
		}
	}
}

// demultiplex takes Docker's frames apart and gives the content of stdout.
func demultiplex(t *testing.T, data []byte) string {
	t.Helper()
	var text strings.Builder
	for len(data) > 0 {
		if len(data) < 8 || data[1] != 0 || data[2] != 0 || data[3] != 0 {
			t.Fatalf("bad frame: %q", data)
		}
		n := int(data[4])<<24 | int(data[5])<<16 | int(data[6])<<8 | int(data[7])
		if data[0] == 1 {
			text.Write(data[8 : 8+n])
		}
		data = data[8+n:]
	}
	return text.String()
}

// A client that does not read gets everything nevertheless, and does not hold
// up the container's end.
func TestSlowClient(t *testing.T) {
	const lines = 30_000 // 3 MB: more than a socket holds, less than a queue
	b := newBox(t, "flood", strconv.Itoa(lines)).create()
	c, err := b.shim.Attach(b.context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := b.shim.Start(b.context()); err != nil {
		t.Fatal(err)
	}
	if st := b.wait(); st.Code != 0 {
		t.Errorf("exit = %+v", st)
	}
	if _, err := b.shim.Delete(b.context()); err != nil {
		t.Fatal(err)
	}
	if err := b.shim.Shutdown(b.context()); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(demultiplex(t, got)); n != lines*100 {
		t.Errorf("the client got %d bytes, want %d", n, lines*100)
	}
	if n := len(b.logged("stdout")); n != lines*100 {
		t.Errorf("the log has %d bytes, want %d", n, lines*100)
	}
}

func TestTerminal(t *testing.T) {
	b := newBox(t, "lines")
	b.spec.Process.Terminal = true
	b.spec.Annotations[bundle.Stdin] = bundle.StdinOpen
	b.create()
	c, err := b.shim.Attach(b.context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := b.shim.Resize(b.context(), 80, 24); err != nil {
		t.Errorf("resize: %v", err)
	}
	if err := b.shim.Start(b.context()); err != nil {
		t.Fatal(err)
	}
	// A line, and the terminal's end of input.
	if _, err := io.WriteString(c, "hi\n\x04"); err != nil {
		t.Fatal(err)
	}
	if st := b.wait(); st.Code != 0 {
		t.Errorf("exit = %+v", st)
	}
	data, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	// The echo comes first, and the terminal ends lines its own way.
	if got, want := demultiplex(t, data), "hi\r\n"; !strings.HasPrefix(got, want) || !strings.Contains(got, "got hi\r\n") {
		t.Errorf("the terminal showed %q", got)
	}
}

// Streams as containerd gives them: named pipes, whose reader may come late.
func TestPipes(t *testing.T) {
	b := newBox(t, "cat")
	for _, name := range []string{"in", "out", "err"} {
		if err := unix.Mkfifo(filepath.Join(b.dir, name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b.start()
	if err := b.createWith("in", "out", "err"); err != nil {
		t.Fatal(err)
	}
	if err := b.shim.Start(b.context()); err != nil {
		t.Fatal(err)
	}
	in, err := os.OpenFile(filepath.Join(b.dir, "in"), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(in, "through pipes\n"); err != nil {
		t.Fatal(err)
	}
	in.Close()
	out, err := os.Open(filepath.Join(b.dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	stderr, err := os.Open(filepath.Join(b.dir, "err"))
	if err != nil {
		t.Fatal(err)
	}
	defer stderr.Close()
	// The input ends by CloseIO, not when its writer goes.
	if err := b.shim.CloseStdin(b.context()); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(out)
	if err != nil || string(got) != "through pipes\n" {
		t.Errorf("stdout = %q, %v", got, err)
	}
	if got, err := io.ReadAll(stderr); err != nil || string(got) != "end of input\n" {
		t.Errorf("stderr = %q, %v", got, err)
	}
	if st := b.wait(); st.Code != 0 {
		t.Errorf("exit = %+v", st)
	}
}
