package test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"wherry/internal/testutil/wherry"
)

// TestLimits holds that no guest, module, layer or client takes the engine or
// a shim down, or more of the machine than it was given, and that whoever asked
// is told why.
func TestLimits(t *testing.T) {
	l := &limits{guests: guests{wherry.Start(t), t}}
	l.hello = filepath.Join(t.TempDir(), "hello.wat")
	write(t, l.hello, helloText)
	l.well(t)
	for _, topic := range []struct {
		name string
		test func(t *testing.T, l *limits)
	}{
		{"modules", testHostileModules}, {"long compile", testLongCompile}, {"compile bounds", testCompileBounds},
		{"memory", testMemories}, {"stack", testStack}, {"loops", testLoops},
		{"descriptors", testDescriptors}, {"endless log", testEndlessLog}, {"many files", testManyFiles},
		{"layers", testHostileLayers}, {"clients", testHostileClients},
	} {
		t.Run(topic.name, func(t *testing.T) {
			topic.test(t, l)
			l.well(t)
		})
	}
}

// limits is an engine that must live through all of it.
type limits struct {
	guests
	hello string
}

// well holds that the engine answers, that a container runs, and that nothing
// of the one before is left.
func (l *limits) well(t *testing.T) {
	t.Helper()
	begun := time.Now()
	if got := l.Must("run", "--rm", l.hello); got != "hello" {
		t.Errorf("afterwards a container printed %q", got)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("afterwards a container took %v", took)
	}
	if left := l.Must("ps", "-aq"); left != "" {
		t.Errorf("containers are left: %s", left)
	}
	left, err := filepath.Glob(filepath.Join(l.Data(), "code", ".new-*"))
	if err != nil || len(left) != 0 {
		t.Errorf("half-made code is left: %v %v", left, err)
	}
}

// guest writes a module in the text format and gives its path. It has what the
// cases below import, and ends with $main's result.
func guest(t *testing.T, parts string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "guest.wat")
	write(t, path, `(module
		(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
		(import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
		(import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
		(import "wasi_snapshot_preview1" "sock_open" (func $socket (param i32 i32 i32) (result i32)))
		(import "wasi_snapshot_preview1" "path_open" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
		(import "wasi_snapshot_preview1" "path_create_directory" (func $mkdir (param i32 i32 i32) (result i32)))
		`+parts+`
		(func (export "_start") (call $exit (call $main))))`)
	return path
}

// memory of the daemon as it is now, in KiB.
func (l *limits) resident(t *testing.T) (kib int) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", l.daemonPID(t)))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		t.Fatal(err)
	}
	return kib
}

// daemonPID is the process that serves the API.
func (l *limits) daemonPID(t *testing.T) int {
	t.Helper()
	for _, p := range l.Processes() {
		if strings.Contains(p.Line, "wherryd") || strings.Contains(p.Line, "wherry daemon") {
			return p.PID
		}
	}
	t.Fatalf("there is no daemon among %v", l.Processes())
	return 0
}

// bounded lets shims, and so what they start, have only so much of a resource
// until the test ends.
func (l *limits) bounded(t *testing.T, resource int, soft uint64) {
	t.Helper()
	pid := l.daemonPID(t)
	var old unix.Rlimit
	if err := unix.Prlimit(pid, resource, nil, &old); err != nil {
		t.Fatal(err)
	}
	if err := unix.Prlimit(pid, resource, &unix.Rlimit{Cur: soft, Max: old.Max}, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Prlimit(pid, resource, &old, nil); err != nil {
			t.Error(err)
		}
	})
}

// Infinite recursion is a trap, also where the system gives threads little
// stack.
func testStack(t *testing.T, l *limits) {
	file := guest(t, `(memory (export "memory") 1)
		(func $main (result i32) (i32.add (call $main) (i32.const 1)))`)
	check := func(t *testing.T, options []string) {
		t.Helper()
		begun := time.Now()
		_, stderr, code := l.Run(append(append([]string{"run", "--rm"}, options...), file)...)
		if code != 134 || !strings.Contains(stderr, "wherry: wasm trap: call stack exhausted") {
			t.Errorf("exit code %d, %.300q", code, stderr)
		}
		if took := time.Since(begun); took > 10*time.Second {
			t.Errorf("it took %v", took)
		}
	}
	on(t, func(t *testing.T, options ...string) {
		check(t, options)
		check(t, append(options, "--ulimit", "stack=65536"))
		l.bounded(t, unix.RLIMIT_STACK, 256<<10)
		check(t, options)
	})
}

// Looping guests end when they are told to, and nothing waits for them.
func testLoops(t *testing.T, l *limits) {
	file := guest(t, `(memory (export "memory") 1)
		(func $main (result i32) (loop $again (br $again)) (i32.const 0))`)
	on(t, func(t *testing.T, options ...string) {
		var ids []string
		for range 4 {
			ids = append(ids, l.detach(t, options, file))
		}
		for range 3 {
			l.lively(t)
		}
		for i, id := range ids {
			verb, want := []string{"stop", "-t", "1"}, "143"
			if i%2 == 1 {
				verb, want = []string{"kill"}, "137"
			}
			begun := time.Now()
			l.Must(append(verb, id)...)
			if took := time.Since(begun); took > 4*time.Second {
				t.Errorf("%v took %v", verb, took)
			}
			if got := l.Must("wait", id); got != want {
				t.Errorf("%v: exit code %s, want %s", verb, got, want)
			}
			l.Must("rm", "-f", id)
		}
	})
}

// lively holds that the engine answers and a container runs while others do.
func (l *limits) lively(t *testing.T) {
	t.Helper()
	begun := time.Now()
	if got := l.Must("run", "--rm", l.hello); got != "hello" {
		t.Errorf("meanwhile a container printed %q", got)
	}
	l.Must("ps", "-a")
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("meanwhile a container and ps took %v", took)
	}
}

// poll waits until something has come about that nothing announces.
func poll(t *testing.T, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); !f(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no %s within 60 s", what)
		}
	}
}
