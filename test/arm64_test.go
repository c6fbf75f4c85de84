//go:build stress

package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"wherry/internal/testutil/wherry"
)

// The same image, by digest, serves on this CPU and on arm64: engine, shim and
// guest all run there, under qemu's user mode.
func TestSameImageOnArm64(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("the other CPU of this test is arm64; this machine has that one")
	}
	bin := crossBuild(t)
	emulate(t)

	here := wherry.Start(t)
	here.Must("build", "-t", "hello-c", filepath.Join(wherry.Root(t), "examples", "hello-c"))
	archive := filepath.Join(t.TempDir(), "hello-c.tar")
	here.Must("save", "-o", archive, "hello-c")

	there := wherry.StartFrom(t, bin)
	there.Must("load", "-i", archive)
	format := []string{"image", "inspect", "-f", "{{.Id}}", "hello-c"}
	if a, b := here.Must(format...), there.Must(format...); a != b {
		t.Errorf("the image is %s here and %s on arm64", a, b)
	}
	for _, e := range []*wherry.Engine{here, there} {
		id := e.Must("run", "-d", "-p", "127.0.0.1::8080", "hello-c")
		get(t, strings.TrimSpace(e.Must("port", id, "8080/tcp")), 100, 4, true)
	}
}

// crossBuild builds the programs for arm64, with wasmtime, linked statically
// so that no libraries of the other CPU are needed.
func crossBuild(t *testing.T) string {
	t.Helper()
	const compiler = "aarch64-linux-gnu-gcc"
	if _, err := exec.LookPath(compiler); err != nil {
		t.Fatalf("no compiler for arm64: apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross (%v)", err)
	}
	bin := t.TempDir()
	for program, env := range map[string][]string{
		"wherry":                    {"CGO_ENABLED=0"},
		"wherryd":                   {"CGO_ENABLED=0"},
		"containerd-shim-wherry-v1": {"CGO_ENABLED=1", "CC=" + compiler},
	} {
		args := []string{"build", "-tags", "netgo,osusergo", "-o", filepath.Join(bin, program)}
		if env[0] == "CGO_ENABLED=1" {
			args = append(args, "-ldflags", `-linkmode external -extldflags "-static"`)
		}
		cmd := exec.Command("go", append(args, "./cmd/"+program)...)
		cmd.Dir = wherry.Root(t)
		cmd.Env = append(append(os.Environ(), "GOARCH=arm64"), env...)
		if out, stderr, code := wherry.Output(t, cmd); code != 0 {
			t.Fatalf("%s for arm64: %s%s", program, out, stderr)
		}
	}
	return bin
}

// emulate has the kernel run arm64 programs with qemu until the test's end,
// unless it does already.
func emulate(t *testing.T) {
	t.Helper()
	const (
		dir   = "/proc/sys/fs/binfmt_misc"
		magic = `\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00`
		mask  = `\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff`
	)
	for _, name := range []string{"qemu-aarch64", "wherry-test-aarch64"} {
		if b, err := os.ReadFile(filepath.Join(dir, name)); err == nil && strings.HasPrefix(string(b), "enabled") {
			return
		}
	}
	qemu, err := exec.LookPath("qemu-aarch64-static")
	if err != nil {
		t.Fatalf("no emulator for arm64: apt-get install qemu-user-static (%v)", err)
	}
	if os.Geteuid() != 0 && os.Getenv("CI") != "true" {
		t.Skip("only root can have the kernel run another CPU's programs, unless qemu-user-static is registered already")
	}
	register := filepath.Join(dir, "register")
	if _, err := os.Stat(register); err != nil {
		if err := unix.Mount("binfmt_misc", dir, "binfmt_misc", 0, ""); err != nil {
			t.Fatalf("mount %s: %v", dir, err)
		}
		t.Cleanup(func() {
			if err := unix.Unmount(dir, 0); err != nil {
				t.Error(err)
			}
		})
	}
	line := ":wherry-test-aarch64:M::" + magic + ":" + mask + ":" + qemu + ":F"
	if err := os.WriteFile(register, []byte(line), 0); err != nil {
		t.Fatalf("register qemu: %v", err)
	}
	t.Cleanup(func() {
		if err := os.WriteFile(filepath.Join(dir, "wherry-test-aarch64"), []byte("-1"), 0); err != nil {
			t.Error(err)
		}
	})
}
