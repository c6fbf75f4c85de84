package test

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"wherry/internal/testutil/wherry"
)

// smallDisk tells the second process where to have the disk and where the
// programs are: what builds them wants room of its own.
const smallDisk = "WHERRY_TEST_SMALL_DISK"

// A full disk is said in one line, loses nothing, and once there is room again
// the same commands work. The disk is a small tmpfs that only this test's own
// second process sees.
func TestFullDisk(t *testing.T) {
	if dir, bin, ok := strings.Cut(os.Getenv(smallDisk), "\n"); ok {
		onSmallDisk(t, dir, bin)
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^TestFullDisk$", "-test.v")
	cmd.Env = append(os.Environ(), smallDisk+"="+t.TempDir()+"\n"+wherry.Programs(t))
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}
	if uid := os.Geteuid(); uid != 0 {
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if !strings.Contains(string(out), "--- PASS: TestFullDisk") {
		t.Errorf("the test did not run on the small disk:\n%s", out)
	}
}

func onSmallDisk(t *testing.T, dir, bin string) {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=32m,mode=700"); err != nil {
		t.Fatal(err)
	}
	files := t.TempDir() // elsewhere
	t.Setenv("TMPDIR", dir)
	e := wherry.StartFrom(t, bin)

	greet := filepath.Join(files, "greet.wasm")
	if err := os.WriteFile(greet, greeter("hello\n", 3), 0o644); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(files, "Dockerfile"), "FROM scratch\nCOPY greet.wasm /\nENTRYPOINT [\"/greet.wasm\"]\n")
	write(t, filepath.Join(files, "big"), incompressible(1<<20))
	write(t, filepath.Join(files, "Big"), "FROM scratch\nCOPY greet.wasm big /\nENTRYPOINT [\"/greet.wasm\"]\n")
	e.Must("build", "-q", "-t", "small", files)
	e.Must("build", "-q", "-t", "big", "-f", filepath.Join(files, "Big"), files)
	archive := filepath.Join(files, "big.tar")
	e.Must("save", "-o", archive, "big")
	e.Must("rmi", "big")
	e.Must("volume", "create", "kept")
	if out, stderr, code := e.Run("run", "--name", "kept", "-v", "kept:/v", "small"); code != 3 || out != "hello\n" {
		t.Fatalf("the container printed %q and ended with %d: %s", out, code, stderr)
	}

	ballast := filepath.Join(dir, "ballast")
	fill := func(leave int64) {
		t.Helper()
		f, err := os.Create(ballast)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		block := make([]byte, 4096)
		var size int64
		for err == nil {
			_, err = f.Write(block)
			size += int64(len(block))
		}
		if err := f.Truncate(max(0, size-leave)); err != nil {
			t.Fatal(err)
		}
	}
	other := filepath.Join(files, "other.wasm")
	if err := os.WriteFile(other, greeter("other\n", 0), 0o644); err != nil {
		t.Fatal(err)
	}
	commands := []bad{
		{"load", []string{"load", "-q", "-i", archive}, 1, []string{"is full: "}},
		{"build", []string{"build", "-q", "-f", filepath.Join(files, "Big"), files}, 1, []string{"is full: "}},
		{"run a file", []string{"run", "--rm", other}, 125, []string{"is full: "}},
		{"create", []string{"create", "--name", "new", "small"}, 125, []string{"is full: "}},
		{"create with a volume", []string{"create", "--name", "holder", "-v", "another:/v", "small"}, 125, []string{"is full: "}},
		{"volume", []string{"volume", "create", "new"}, 1, []string{"is full: "}},
	}
	for _, leave := range []int64{0, 64 << 10, 512 << 10} {
		fill(leave)
		for _, b := range commands {
			if leave > 0 && b.name != "load" && b.name != "build" {
				continue // these may fit
			}
			t.Run(b.name, func(t *testing.T) { b.refuse(t, e) })
		}
		intact(t, e)
		e.KillDaemon(syscall.SIGKILL)
		e.StartDaemon()
		intact(t, e)
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
	}
	for _, b := range commands {
		e.Must(b.args...)
	}
	if _, _, code := e.Run("start", "-a", "kept"); code != 3 {
		t.Errorf("the kept container ended with %d", code)
	}
	intact(t, e)
	verifyBlobs(t, e.Data())
}

// incompressible is n bytes that are the same each time.
func incompressible(n int) string {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{}).Read(b) // never fails
	return string(b)
}

// intact holds that what there was before the disk was full is still there.
func intact(t *testing.T, e *wherry.Engine) {
	t.Helper()
	for _, c := range []struct{ command, want string }{
		{"ps -a --filter name=kept --format {{.Names}}|{{.Image}}|{{.State}}", "kept|small|exited"},
		{"inspect -f {{.State.ExitCode}} kept", "3"},
		{"logs -n1 kept", "hello"},
		{"volume ls -q --filter name=kept", "kept"},
		{"images -q --no-trunc small", strings.TrimSpace(e.Must("inspect", "-f", "{{.Id}}", "small"))},
	} {
		if got := e.Must(strings.Fields(c.command)...); got != c.want {
			t.Errorf("%s printed %q, want %q", c.command, got, c.want)
		}
	}
}
