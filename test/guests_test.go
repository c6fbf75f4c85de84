package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"wherry/internal/testutil/wherry"
)

// engineNames are the engines that every guest runs on.
var engineNames = []string{"wasmtime", "wazero"}

// guests is an engine with images of the guests of testdata.
type guests struct {
	*wherry.Engine
	t *testing.T
}

// TestGuests holds what guests see and how they end, on one engine for all, so
// that each module is compiled once.
func TestGuests(t *testing.T) {
	g := &guests{wherry.Start(t), t}
	g.image("probe", compileProbe(t))
	for _, topic := range []struct {
		name string
		test func(t *testing.T, g *guests)
	}{
		{"system files", testSystemFiles}, {"mounts", testMounts},
		{"streams", testStreams}, {"log rotation", testLogRotation},
		{"exit codes", testExitCodes}, {"traps", testTraps}, {"memory limit", testMemoryLimit}, {"stop", testStop},
		{"loopback", testLoopback}, {"network modes", testNetworkModes}, {"socket forms", testSocketForms},
		{"pre-opened listeners", testPreopened}, {"no sockets", testNoSockets},
	} {
		t.Run(topic.name, func(t *testing.T) { topic.test(t, g) })
	}
}

// compileProbe compiles the Go guest and returns its path.
func compileProbe(t *testing.T) string {
	t.Helper()
	module := filepath.Join(t.TempDir(), "probe.wasm")
	cmd := exec.Command("go", "build", "-trimpath", "-o", module, "./testdata/probe")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOFLAGS=-buildvcs=false")
	if _, stderr, code := wherry.Output(t, cmd); code != 0 {
		t.Fatal(stderr)
	}
	return module
}

// image makes an image that runs a module.
func (g *guests) image(name, module string) {
	g.t.Helper()
	dir := filepath.Dir(module)
	write(g.t, filepath.Join(dir, "Dockerfile"), "FROM scratch\nCOPY "+filepath.Base(module)+" /"+name+".wasm\nENTRYPOINT [\"/"+name+".wasm\"]\n")
	g.Must("build", "-q", "-t", name, dir)
}

// compileC compiles the C guest of testdata/sockets, and skips where there is
// no compiler for it.
func compileC(t *testing.T, flags ...string) string {
	t.Helper()
	module := filepath.Join(t.TempDir(), "guest.wasm")
	clang, err := exec.LookPath("clang")
	if err != nil && os.Getenv("CI") != "true" {
		t.Skip("no compiler for C guests: apt-get install clang lld wasi-libc libclang-rt-dev-wasm32")
	}
	args := append([]string{"--target=wasm32-wasi", "--sysroot=/usr", "-Wall", "-Werror", "-O1", "-o", module}, flags...)
	if _, stderr, code := wherry.Output(t, exec.Command(clang, args...)); code != 0 {
		t.Fatal(stderr)
	}
	return module
}

// on runs what follows on each engine, with the options that choose it.
func on(t *testing.T, run func(t *testing.T, options ...string)) {
	for _, name := range engineNames {
		t.Run(name, func(t *testing.T) { run(t, "--runtime", "io.containerd."+name+".v1") })
	}
}

// probe runs the Go guest to its end: options of run, "probe", then verbs.
func (g *guests) probe(options []string, args ...string) (stdout, stderr string, code int) {
	g.t.Helper()
	return g.Run(append(append([]string{"run", "--rm"}, options...), args...)...)
}

// detach starts a container that is removed when the test ends.
func (g *guests) detach(t *testing.T, options []string, args ...string) (id string) {
	t.Helper()
	id = g.Must(append(append([]string{"run", "-d"}, options...), args...)...)
	t.Cleanup(func() { g.Must("rm", "-f", id) })
	return id
}

// A guest finds what programs expect of their system, unless the image has its
// own.
func testSystemFiles(t *testing.T, g *guests) {
	on(t, func(t *testing.T, options ...string) {
		run := append(options, "--hostname", "box", "--add-host", "db:192.0.2.7", "--add-host", "six:2001:db8::7", "--dns", "192.0.2.53", "--dns-search", "example.org")
		for _, c := range []struct{ verbs, want string }{
			{"cat /etc/hostname", "box\n"},
			{"env HOSTNAME", "box\n"},
			{"cat /etc/resolv.conf", "nameserver 192.0.2.53\nsearch example.org\n"},
			{"cat /etc/hosts", "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.0.1\tbox\n192.0.2.7\tdb\n2001:db8::7\tsix\n"},
			{"resolve db resolve six resolve box resolve localhost", "[192.0.2.7]\n[2001:db8::7]\n[127.0.0.1]\n[127.0.0.1 ::1]\n"},
			{"ls /dev", "full\nnull\nrandom\nurandom\nzero\n"},
			{"ls /", "dev\netc\nprobe.wasm\n"},
		} {
			stdout, stderr, code := g.probe(run, append([]string{"probe"}, strings.Fields(c.verbs)...)...)
			if code != 0 || stdout != c.want {
				t.Errorf("%s: %d %q %q, want %q", c.verbs, code, stdout, stderr, c.want)
			}
		}
	})

	// The host's CA bundle is there for all that look for one, and for nobody
	// to write.
	const path = "/etc/ssl/certs/ca-certificates.crt"
	host, err := os.ReadFile(path)
	if err != nil && os.Getenv("CI") != "true" {
		t.Skip("this machine has no CA bundle: apt-get install ca-certificates")
	}
	if err != nil {
		t.Fatal(err)
	}
	if out, stderr, code := g.probe(nil, "probe", "cat", path); code != 0 || out != string(host) {
		t.Errorf("CA bundle: exit code %d, %d bytes, want %d %s", code, len(out), len(host), stderr)
	}
	if out, stderr, code := g.probe(nil, "probe", "env", "SSL_CERT_FILE", "write", path, "own"); code == 0 || out != path+"\n" || !strings.Contains(stderr, "ead-only file system") {
		t.Errorf("writing the CA bundle: %d %.100q %s", code, out, stderr)
	}
	if now, err := os.ReadFile(path); err != nil || string(now) != string(host) {
		t.Errorf("a guest changed the host's CA bundle: %v", err)
	}

	// An image's own files stay.
	dir := t.TempDir()
	write(t, filepath.Join(dir, "hosts"), "192.0.2.1 mine\n")
	write(t, filepath.Join(dir, "Dockerfile"), "FROM probe\nCOPY hosts /etc/hosts\nCOPY hosts "+path+"\n")
	g.Must("build", "-q", "-t", "own", dir)
	if out := g.Must("run", "--rm", "own", "cat", "/etc/hosts", "cat", path); out != "192.0.2.1 mine\n192.0.2.1 mine" {
		t.Errorf("the image's own files: %q", out)
	}
}

// Folders, files, volumes and tmpfs lie where they were asked for, and are
// written only where that was granted.
func testMounts(t *testing.T, g *guests) {
	// An engine of root's keeps to the image's owners, as Docker does; an ordinary
	// user's has one identity.
	other, said := 0, "y"
	if os.Geteuid() == 0 {
		other, said = 1, "Permission denied"
	}
	on(t, func(t *testing.T, options ...string) {
		dir := t.TempDir()
		for _, sub := range []string{"in", "rw"} {
			if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		write(t, filepath.Join(dir, "in", "f"), "text")
		write(t, filepath.Join(dir, "conf"), "old")
		rw, in, conf := filepath.Join(dir, "rw"), filepath.Join(dir, "in"), filepath.Join(dir, "conf")
		volume := "v-" + strings.ToLower(filepath.Base(options[1]))
		const erofs = "Read-only file system"
		for _, c := range []struct {
			options []string
			verbs   string
			code    int
			want    string // of stdout, or a part of stderr where code is not 0
		}{
			{[]string{"-v", rw + ":/data"}, "write /data/x guest ls /data", 0, "x\n"},
			{[]string{"-v", in + ":/data:ro"}, "cat /data/f write /data/x no", 1, erofs},
			{[]string{"-v", in + ":/data:ro"}, "remove /data/f", 1, erofs},
			{[]string{"-v", conf + ":/etc/app.conf"}, "cat /etc/app.conf write /etc/app.conf new cat /etc/app.conf", 0, "oldnew"},
			{[]string{"-v", conf + ":/etc/app.conf:ro"}, "write /etc/app.conf no", 1, erofs},
			{[]string{"-v", volume + ":/v"}, "write /v/x kept", 0, ""},
			{[]string{"--mount", "type=volume,src=" + volume + ",dst=/v,readonly"}, "cat /v/x ls /v", 0, "keptx\n"},
			{[]string{"--mount", "type=volume,src=" + volume + ",dst=/v,readonly"}, "write /v/y no", 1, erofs},
			{[]string{"--mount", "type=bind,source=" + in + ",target=/data,readonly"}, "cat /data/f", 0, "text"},
			{[]string{"--mount", "type=tmpfs,dst=/t,tmpfs-size=65536,tmpfs-mode=0700"}, "write /t/x y ls /t", 0, "x\n"},
			{[]string{"--tmpfs", "/t:size=64k"}, "write /t/x y cat /t/x", 0, "y"},
			{[]string{"--tmpfs", "/t:size=64k,mode=rwx"}, "ls /t", 125, "mode=rwx"},
			{[]string{"--read-only", "--tmpfs", "/run", "-v", rw + ":/data"}, "write /run/x y write /data/y z cat /run/x cat /data/y", 0, "yz"},
			{[]string{"--read-only"}, "write /x y", 1, erofs},
			{[]string{"--read-only"}, "mkdir /x", 1, erofs},
			// A mount inside a mount, in whatever order they were given.
			{[]string{"-v", conf + ":/a/b/conf", "-v", in + ":/a/b/c", "-v", rw + ":/a"}, "ls /a/b cat /a/b/c/f cat /a/b/conf ls /a", 0, "c\nconf\ntextnewb\nx\ny\n"},
			{[]string{"-v", rw + ":/a", "-v", in + ":/b"}, "rename /a/x /b/x", 1, "link"},
			{[]string{"-w", "/some/where"}, "pwd env PWD write here x cat /some/where/here", 0, "/some/where\n/some/where\nx"},
			{[]string{"-u", "1000:1000"}, "write /x y cat /x", other, said},
		} {
			stdout, stderr, code := g.probe(append(c.options, options...), append([]string{"probe"}, strings.Fields(c.verbs)...)...)
			if code != c.code || code == 0 && stdout != c.want || code != 0 && !strings.Contains(stderr, c.want) {
				t.Errorf("%s %s: %d %q %q, want %d %q", strings.Join(c.options, " "), c.verbs, code, stdout, stderr, c.code, c.want)
			}
		}
		for name, want := range map[string]string{"rw/x": "guest", "conf": "new", "in/f": "text"} {
			if b, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(b) != want {
				t.Errorf("%s holds %q, %v; want %q", name, b, err, want)
			}
		}
	})
}

// buildOrSkip builds a folder, and skips where its toolchain is missing.
func buildOrSkip(t *testing.T, g *guests, name, dir string) {
	t.Helper()
	_, stderr, code := g.Run("build", "-t", name, dir)
	if code != 0 && strings.Contains(stderr, "apt-get install") && os.Getenv("CI") != "true" {
		t.Skip(stderr)
	}
	if code != 0 {
		t.Fatalf("building %s: %s", name, stderr)
	}
}
