package test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Whatever it grows, a guest gets what -m gives and not more, and is told so by
// the instruction; a module that needs more from the start is refused.
func testMemories(t *testing.T, l *limits) {
	for _, c := range []struct {
		name, parts string
		only        string // an engine, where the other has not the proposal
		least, most int    // the exit code
		says        []string
	}{
		// Grows by 1 MiB until refused and ends with how often it did: less than
		// 32 times where the process's own memory counts too.
		{"grows", `(memory (export "memory") 16)
			(func $main (result i32) (local $n i32)
				(loop $more
					(if (i32.ne (memory.grow (i32.const 16)) (i32.const -1))
						(then (local.set $n (i32.add (local.get $n) (i32.const 1))) (br $more))))
				(local.get $n))`, "", 16, 31, []string{"memory.grow failed at limit 32 MiB"}},
		{"begins beyond", `(memory (export "memory") 513) (func $main (result i32) (i32.const 0))`, "", 125, 125,
			[]string{"begins with 513 pages of 64 KiB, the limit is "}},
		{"two memories", `(memory (export "memory") 1) (memory $b 1)
			(func $main (result i32) (local $n i32)
				(loop $more
					(if (i32.or (i32.ne (memory.grow (i32.const 16)) (i32.const -1)) (i32.ne (memory.grow $b (i32.const 16)) (i32.const -1)))
						(then (local.set $n (i32.add (local.get $n) (i32.const 1))) (br $more))))
				(i32.div_u (i32.add (memory.size) (memory.size $b)) (i32.const 16)))`, "wasmtime", 16, 31, nil},
		{"64-bit memory", `(memory (export "memory") i64 1)
			(func $main (result i32) (local $n i32)
				(loop $more
					(if (i64.ne (memory.grow (i64.const 16)) (i64.const -1))
						(then (local.set $n (i32.add (local.get $n) (i32.const 1))) (br $more))))
				(local.get $n))`, "wasmtime", 16, 31, nil},
		// 32 MiB would hold 4,194,304 elements; a quarter of it may.
		{"table", `(memory (export "memory") 1) (table $t 1 funcref)
			(func $main (result i32)
				(loop $more (br_if $more (i32.ne (table.grow $t (ref.null func) (i32.const 65536)) (i32.const -1))))
				(i32.le_u (table.size $t) (i32.const 1048576)))`, "", 1, 1, nil},
		{"garbage", `(memory (export "memory") 1) (type $node (struct (field (ref null $node)) (field i64 i64 i64 i64)))
			(func $main (result i32) (local $list (ref null $node))
				(loop $more
					(local.set $list (struct.new $node (local.get $list) (i64.const 1) (i64.const 2) (i64.const 3) (i64.const 4)))
					(br $more))
				(i32.const 0))`, "wasmtime", 134, 134, []string{"wherry: wasm trap: "}},
		{"shared memory", `(memory (export "memory") 1 2 shared) (func $main (result i32) (i32.const 0))`, "", 126, 126,
			[]string{"has a shared memory", "without threads"}},
	} {
		file := guest(t, c.parts)
		on(t, func(t *testing.T, options ...string) {
			if c.only != "" && !strings.Contains(options[1], c.only) {
				return
			}
			_, stderr, code := l.Run(append(append([]string{"run", "--rm", "-m", "32m"}, options...), file)...)
			if code < c.least || code > c.most {
				t.Errorf("%s: exit code %d, want %d to %d", c.name, code, c.least, c.most)
			}
			for _, want := range c.says {
				if !strings.Contains(stderr, want) {
					t.Errorf("%s: it does not say %q", c.name, want)
				}
			}
			if t.Failed() {
				t.Logf("%s: %s", c.name, stderr)
			}
		})
	}
}

// A guest that opens files or sockets without end is told so at a known number,
// and goes on.
func testDescriptors(t *testing.T, l *limits) {
	const again = `(func $main (result i32) (local $n i32) (local $errno i32)
		(loop $more
			(local.set $errno (call $one))
			(if (i32.eqz (local.get $errno)) (then (local.set $n (i32.add (local.get $n) (i32.const 1))) (br $more))))
		;; What it was told: 33 is MFILE, 41 NFILE.
		(if (i32.and (i32.ne (local.get $errno) (i32.const 33)) (i32.ne (local.get $errno) (i32.const 41))) (then (return (local.get $errno))))
		(if (i32.lt_u (local.get $n) (i32.const 32)) (then (return (i32.const 201))))
		;; One less, one more.
		(if (call $close (i32.load (i32.const 100))) (then (return (i32.const 202))))
		(if (call $one) (then (return (i32.const 203))))
		(i32.const 0))`
	files := guest(t, `(memory (export "memory") 1) (data (i32.const 0) "file")
		(func $one (result i32) (call $open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 4) (i32.const 1) (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 100)))`+again)
	sockets := guest(t, `(memory (export "memory") 1)
		(func $one (result i32) (call $socket (i32.const 1) (i32.const 2) (i32.const 100)))`+again)
	on(t, func(t *testing.T, options ...string) {
		for name, file := range map[string]string{"files": files, "sockets": sockets} {
			for _, few := range [][]string{nil, {"--ulimit", "nofile=128:128"}} {
				_, stderr, code := l.Run(append(append(append([]string{"run", "--rm"}, options...), few...), file)...)
				if code != 0 || stderr != "" {
					t.Errorf("%s %v: exit code %d %q", name, few, code, stderr)
				}
			}
		}
	})
}

// An endless log keeps to its size, and the engine does not keep it in memory.
func testEndlessLog(t *testing.T, l *limits) {
	file := guest(t, `(memory (export "memory") 2)
		(func $main (result i32)
			(i32.store (i32.const 0) (i32.const 1024)) (i32.store (i32.const 4) (i32.const 60000))
			(memory.fill (i32.const 1024) (i32.const 120) (i32.const 60000))
			(loop $more (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16))) (br $more))
			(i32.const 0))`)
	on(t, func(t *testing.T, options ...string) {
		id := l.detach(t, append(options, "--log-opt", "max-size=1m", "--log-opt", "max-file=2"), file)
		before := l.resident(t)
		path := l.Must("inspect", "-f", "{{.LogPath}}", id)
		rotations, last := 0, fs.FileInfo(nil)
		poll(t, "20 rotations of the log", func() bool {
			fi, err := os.Stat(path + ".1")
			if err == nil && (last == nil || !os.SameFile(fi, last)) {
				rotations, last = rotations+1, fi
			}
			return rotations >= 20
		})
		if out, _, code := l.Run("logs", "--tail", "3", id); code != 0 || len(out) < 1000 {
			t.Errorf("its last lines: exit code %d, %d bytes", code, len(out))
		}
		l.Must("stop", "-t", "1", id)
		all, err := filepath.Glob(path + "*")
		if err != nil {
			t.Fatal(err)
		}
		var size int64
		for _, p := range all {
			fi, err := os.Stat(p)
			if err != nil {
				t.Fatal(err)
			}
			size += fi.Size()
		}
		if len(all) != 2 || size > 3<<20 {
			t.Errorf("the log is %v of %d bytes, want 2 files of little more than 1 MiB", all, size)
		}
		if after := l.resident(t); after > before+32<<10 {
			t.Errorf("the engine has %d KiB, %d before", after, before)
		}
	})
}

// Files and folders without number are the container's own affair, and go with
// it.
func testManyFiles(t *testing.T, l *limits) {
	file := guest(t, `(memory (export "memory") 1) (data (i32.const 0) "d00000")
		;; Writes $n in 5 digits behind the letter.
		(func $name (param $n i32) (local $at i32)
			(local.set $at (i32.const 5))
			(loop $digit
				(i32.store8 (local.get $at) (i32.add (i32.const 48) (i32.rem_u (local.get $n) (i32.const 10))))
				(local.set $n (i32.div_u (local.get $n) (i32.const 10)))
				(br_if $digit (local.tee $at (i32.sub (local.get $at) (i32.const 1))))))
		(func $main (result i32) (local $n i32) (local $errno i32)
			(loop $more
				(call $name (local.get $n))
				(i32.store8 (i32.const 0) (i32.const 100))
				(if (local.tee $errno (call $mkdir (i32.const 3) (i32.const 0) (i32.const 6))) (then (return (local.get $errno))))
				(i32.store8 (i32.const 0) (i32.const 102))
				(if (local.tee $errno (call $open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 6) (i32.const 1) (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 100))) (then (return (local.get $errno))))
				(if (call $close (i32.load (i32.const 100))) (then (return (i32.const 204))))
				(br_if $more (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 5000))))
			(i32.const 0))`)
	before := l.resident(t)
	id := l.detach(t, nil, file)
	if code := l.Must("wait", id); code != "0" {
		_, logs, _ := l.Run("logs", id)
		t.Errorf("exit code %s %q", code, logs)
	}
	dir := filepath.Join(l.Data(), "containers", id)
	l.Must("rm", id)
	if _, err := os.Stat(dir); err == nil {
		t.Error("the container's folder is still there")
	}
	if after := l.resident(t); after > before+32<<10 {
		t.Errorf("the engine has %d KiB, %d before", after, before)
	}
}
