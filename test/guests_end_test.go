package test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wherry/examples/stream"
	"wherry/internal/testutil/wherry"
)

// A guest's code is its exit code, and no code that is not 0 becomes 0.
func testExitCodes(t *testing.T, g *guests) {
	on(t, func(t *testing.T, options ...string) {
		for guest, want := range map[string]int{"0": 0, "7": 7, "255": 255, "256": 255, "300": 255, "-1": 255, "65536": 255} {
			if _, stderr, code := g.probe(options, "probe", "exit", guest); code != want || stderr != "" {
				t.Errorf("exit(%s): %d %q, want %d", guest, code, stderr, want)
			}
		}
	})
}

// traps are modules that end badly, in the text format, each with the words
// that the user is to read.
var traps = map[string]struct{ module, reason string }{
	"unreachable":      {`(func $bad unreachable)`, "unreachable"},
	"division":         {`(func $bad (drop (i32.div_s (i32.const 1) (i32.const 0))))`, "divide by zero"},
	"overflow":         {`(func $bad (drop (i32.div_s (i32.const 0x80000000) (i32.const -1))))`, "integer overflow"},
	"conversion":       {`(func $bad (drop (i32.trunc_f32_s (f32.const nan))))`, "conversion to integer"},
	"memory":           {`(func $bad (drop (i32.load (i32.const -8))))`, "out of bounds memory access"},
	"table":            {`(table 1 funcref) (type $t (func)) (func $bad (call_indirect (type $t) (i32.const 9)))`, "table"},
	"indirect type":    {`(table funcref (elem $other)) (type $t (func)) (func $other (param i32)) (func $bad (call_indirect (type $t) (i32.const 0)))`, "indirect call"},
	"stack":            {`(func $bad (call $bad))`, "call stack exhausted"},
	"host, wild write": {`(func $bad (if (i32.ne (call $random (i32.const -4) (i32.const 64)) (i32.const 21)) (then (call $exit (i32.const 1)))) unreachable)`, "unreachable"},
}

// A trap is 134 with the reason where users look: on stderr and in the logs
// with the functions on the way, and in inspect.
func testTraps(t *testing.T, g *guests) {
	dir := t.TempDir()
	on(t, func(t *testing.T, options ...string) {
		for name, c := range traps {
			file := filepath.Join(dir, strings.NewReplacer(" ", "-", ",", "").Replace(name)+".wat")
			write(t, file, `(module
				(import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
				(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
				(memory (export "memory") 1)
				`+c.module+`
				(func $middle (call $bad))
				(func (export "_start") (call $middle)))`)
			id := g.detach(t, options, file)
			if code := g.Must("wait", id); code != "134" {
				t.Errorf("%s: exit code %s", name, code)
			}
			_, logs, _ := g.Run("logs", id)
			if !strings.HasPrefix(logs, "wherry: wasm trap: ") || !strings.Contains(logs, c.reason) {
				t.Errorf("%s: logs %q, want %q", name, logs, c.reason)
			}
			if deep := name == "stack" && strings.Contains(options[1], "wazero"); !deep && (!strings.Contains(logs, "bad") || name != "stack" && !strings.Contains(logs, "middle")) {
				t.Errorf("%s: no functions in %q", name, logs)
			}
			if state := g.Must("inspect", "-f", "{{.State.ExitCode}} {{.State.Error}}", id); !strings.HasPrefix(state, "134 wasm trap: ") || !strings.Contains(state, c.reason) {
				t.Errorf("%s: state %q", name, state)
			}
		}
		// Guests with a stack of their own run out of it as readably.
		if _, stderr, code := g.probe(options, "probe", "overflow"); code != 134 || !strings.Contains(stderr, "call stack exhausted") {
			t.Errorf("Go: exit code %d, %.300q", code, stderr)
		}
		// proc_exit ends a guest from any depth.
		file := filepath.Join(dir, "exit.wat")
		write(t, file, `(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
			(memory (export "memory") 1)
			(func $down (param i32) (if (i32.eqz (local.get 0)) (then (call $exit (i32.const 42)))) (call $down (i32.sub (local.get 0) (i32.const 1))))
			(func (export "_start") (call $down (i32.const 1000))))`)
		if _, stderr, code := g.probe(options, file); code != 42 || stderr != "" {
			t.Errorf("proc_exit from below: %d %q", code, stderr)
		}
	})
}

// A guest that may not have more memory says so.
func testMemoryLimit(t *testing.T, g *guests) {
	on(t, func(t *testing.T, options ...string) {
		id := g.detach(t, append(options, "-m", "256m"), "probe", "grow")
		if code := g.Must("wait", id); code != "2" { // Go's own for out of memory
			t.Errorf("exit code %s", code)
		}
		const want = "memory.grow failed at limit 256 MiB"
		if _, logs, _ := g.Run("logs", id); !strings.Contains(logs, "wherry: "+want) {
			t.Errorf("logs %q", logs)
		}
		if state := g.Must("inspect", "-f", "{{.State.Error}}", id); !strings.Contains(state, want) {
			t.Errorf("state %q", state)
		}
	})
}

// Stop ends a guest at once, whatever it does, with the signal's code.
func testStop(t *testing.T, g *guests) {
	on(t, func(t *testing.T, options ...string) {
		for verb, says := range map[string]string{"loop": "looping", "sleep": "sleeping"} {
			for _, c := range []struct {
				command []string
				code    string
			}{{[]string{"stop", "-t", "30"}, "143"}, {[]string{"kill"}, "137"}, {[]string{"kill", "-s", "INT"}, "130"}} {
				id := g.detach(t, options, "probe", verb)
				follow(t, g, id, says)
				begin := time.Now()
				g.Must(append(c.command, id)...)
				if code := g.Must("wait", id); code != c.code {
					t.Errorf("%s of %s: exit code %s, want %s", c.command, verb, code, c.code)
				}
				if took := time.Since(begin); took > 10*time.Second {
					t.Errorf("%s of %s took %s", c.command, verb, took)
				}
			}
		}
	})
}

// follow waits until a container has printed a line.
func follow(t *testing.T, g *guests, id, line string) {
	t.Helper()
	cmd := g.Command("logs", "-f", id)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var got []byte
	for b := make([]byte, 256); !bytes.Contains(got, []byte(line)); {
		n, err := out.Read(b)
		got = append(got, b[:n]...)
		if err != nil {
			t.Fatalf("the log ended without %q: %q", line, got)
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait() // it was killed
}

// Bytes go through unchanged, however many and whichever.
func testStreams(t *testing.T, g *guests) {
	const size = 20_000_000
	want := sha256.New()
	if _, err := io.Copy(want, stream.New(size)); err != nil {
		t.Fatal(err)
	}
	on(t, func(t *testing.T, options ...string) {
		cmd := g.Command(append(append([]string{"run", "--rm", "-i"}, options...), "probe", "sum")...)
		cmd.Stdin = stream.New(size)
		if out, stderr, code := wherry.Output(t, cmd); code != 0 || out != fmt.Sprintf("%d %x\n", size, want.Sum(nil)) {
			t.Errorf("stdin: %d %q %q", code, out, stderr)
		}
		got := sha256.New()
		cmd = g.Command(append(append([]string{"run", "--rm", "-i"}, options...), "probe", "copy")...)
		cmd.Stdin, cmd.Stdout = stream.New(size), got
		if _, stderr, code := wherry.Output(t, cmd); code != 0 || !bytes.Equal(got.Sum(nil), want.Sum(nil)) {
			t.Errorf("there and back: %d %q, equal: %v", code, stderr, bytes.Equal(got.Sum(nil), want.Sum(nil)))
		}
		var all [256]byte
		for i := range all {
			all[i] = byte(i)
		}
		if out, _, code := g.probe(options, "probe", "bytes"); code != 0 || out != string(all[:]) {
			t.Errorf("every byte: %d %q", code, out)
		}
		// Without -i there is no input.
		if out, _, code := g.probe(options, "probe", "copy"); code != 0 || out != "" {
			t.Errorf("no stdin: %d %q", code, out)
		}
	})
}

// A guest that prints without end fills neither disk nor memory.
func testLogRotation(t *testing.T, g *guests) {
	const lines = 400_000 // 40 MB
	on(t, func(t *testing.T, options ...string) {
		id := g.detach(t, append(options, "--log-opt", "max-size=1m", "--log-opt", "max-file=3"), "probe", "flood", fmt.Sprint(lines), "loop")
		follow(t, g, id, "looping")
		files, err := filepath.Glob(filepath.Join(g.Data(), "containers", id, "*json.log*"))
		if err != nil || len(files) != 3 {
			t.Errorf("log files: %v, %v", files, err)
		}
		for _, f := range files {
			if info, err := os.Stat(f); err != nil || info.Size() > 1<<20+1<<10 {
				t.Errorf("%s has %d bytes, %v", f, info.Size(), err)
			}
		}
		var newest struct{ Log string }
		if b, err := os.ReadFile(filepath.Join(g.Data(), "containers", id, id+"-json.log")); err != nil {
			t.Error(err)
		} else if b = b[bytes.LastIndexByte(b[:len(b)-1], '\n')+1:]; json.Unmarshal(b, &newest) != nil || newest.Log != "looping\n" {
			t.Errorf("the newest line is %q", b)
		}
		for _, p := range g.Processes() {
			if peak := peakMemory(t, p.PID); peak > 120<<10 {
				t.Errorf("%s took %d KiB", p.Line, peak)
			}
		}
	})
}

// peakMemory is a process's, in KiB; 0 where it is gone.
func peakMemory(t *testing.T, pid int) (kib int) {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			if _, err := fmt.Sscan(rest, &kib); err != nil {
				t.Error(err)
			}
		}
	}
	return kib
}
