package test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"wherry/internal/testutil/wherry"
)

// hostileModule writes one of hostileModules and gives its path.
func hostileModule(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), strings.ReplaceAll(name, " ", "-")+".wasm")
	write(t, path, string(hostileModules()[name]()))
	return path
}

// Modules whose size is an attack run or are refused in words, in seconds.
func testHostileModules(t *testing.T, l *limits) {
	const ran = "" // no words: it did what it was made for, nothing
	// Takes the engine minutes or gigabytes, as those of testCompileBounds do.
	const elsewhere = "-"
	for name, says := range map[string]map[string]string{
		"imports":         {"": "imports of 1000000, more than the 100000"},
		"exports":         {"": "exports of 1000000, more than the 100000"},
		"custom sections": {"": "more than 100000 sections"},
		"claimed section": {"": "the data section announces 1073741824 bytes, 0 are left"},
		"claimed data":    {"wasmtime": "unexpected end", "wazero": "section 11 at 0x29: the section ends early"},
		"segments":        {"wasmtime": "data segments count exceeds limit of 100000", "wazero": ran},
		"elements":        {"wasmtime": "element segments count exceeds limit of 100000", "wazero": ran},
		"tables":          {"wasmtime": "tables count exceeds limit of 100", "wazero": ran},
		"types":           {"": ran},
		"nested blocks":   {"wasmtime": "function body size count exceeds limit of 7654321", "wazero": elsewhere},
		"functions":       {"wasmtime": elsewhere, "wazero": ran},
		"globals":         {"": ran},
		"names":           {"": ran},
		"long function":   {"": ran},
	} {
		file := hostileModule(t, name)
		on(t, func(t *testing.T, options ...string) {
			engine := strings.Split(options[1], ".")[2]
			want, ok := says[engine]
			if !ok {
				want = says[""]
			}
			if want == elsewhere {
				return
			}
			begun := time.Now()
			_, stderr, code := l.Run(append(append([]string{"run", "--rm"}, options...), file)...)
			took := time.Since(begun)
			if strings.HasPrefix(stderr, "wherry: compiling the module (") {
				_, stderr, _ = strings.Cut(stderr, "\n") // it took a while
			}
			if want == ran && (code != 0 || stderr != "") {
				t.Errorf("%s: exit code %d, %.300q", name, code, stderr)
			}
			if want != ran && (code != 126 || !strings.Contains(stderr, want) || strings.Count(stderr, "\n") != 1) {
				t.Errorf("%s: exit code %d, %.300q; want 126 and a line with %q", name, code, stderr, want)
			}
			if took > 20*time.Second {
				t.Errorf("%s: it took %v", name, took)
			}
		})
	}
}

// While a module is compiled for minutes the engine and the container's own
// shim answer, other containers run, and removing the container ends it.
func testLongCompile(t *testing.T, l *limits) {
	on(t, func(t *testing.T, options ...string) {
		cmd := l.Command(append(append([]string{"run", "--name", "long"}, options...), hostileModule(t, "locals"))...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		poll(t, "a compile", func() bool { return len(l.compilers()) == 1 })
		for range 3 {
			l.lively(t)
		}
		if state := l.Must("inspect", "-f", "{{.State.Status}}", "long"); state != "created" {
			t.Errorf("while it is compiled the container is %s", state)
		}
		select {
		case err := <-ended:
			t.Fatalf("the compile ended by itself: %v", err)
		default:
		}
		begun := time.Now()
		l.Must("rm", "-f", "long")
		if err, ok := (<-ended).(*exec.ExitError); !ok || err.ExitCode() == 0 {
			t.Errorf("run ended with %v", err)
		}
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("ending it took %v", took)
		}
		poll(t, "the end of the compile", func() bool { return len(l.compilers()) == 0 })
	})
}

// compilers are the processes that compile.
func (l *limits) compilers() (found []wherry.Process) {
	for _, p := range l.Processes() {
		for _, child := range childrenOf(p.PID) {
			if strings.Contains(child.Line, " compile ") {
				found = append(found, child)
			}
		}
	}
	return found
}

// childrenOf lists a process's children; none where it has ended.
func childrenOf(pid int) (found []wherry.Process) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return nil
	}
	for _, path := range tasks {
		list, _ := os.ReadFile(path)
		for _, field := range strings.Fields(string(list)) {
			line, _ := os.ReadFile("/proc/" + field + "/cmdline")
			child := wherry.Process{Line: strings.ReplaceAll(string(line), "\x00", " ")}
			if _, err := fmt.Sscan(field, &child.PID); err == nil {
				found = append(found, child)
			}
		}
	}
	return found
}

// A compile that takes too long or too much memory ends with words that say
// which.
func testCompileBounds(t *testing.T, _ *limits) {
	for _, c := range []struct {
		what             string
		resource         int
		most             uint64
		wasmtime, wazero string // the modules
		says             string
	}{
		{"time", unix.RLIMIT_CPU, 4, "locals", "jump table", "may take 3 s of processor time"},
		{"memory", unix.RLIMIT_AS, 2 << 30, "functions", "locals", "ran out of memory"},
	} {
		t.Run(c.what, func(t *testing.T) {
			l := &limits{guests: guests{wherry.Start(t), t}}
			if err := unix.Prlimit(l.daemonPID(t), c.resource, &unix.Rlimit{Cur: c.most, Max: c.most}, nil); err != nil {
				t.Fatal(err)
			}
			on(t, func(t *testing.T, options ...string) {
				name := c.wasmtime
				if strings.Contains(options[1], "wazero") {
					name = c.wazero
				}
				_, stderr, code := l.Run(append(append([]string{"run", "--rm"}, options...), hostileModule(t, name))...)
				if strings.HasPrefix(stderr, "wherry: compiling the module (") {
					_, stderr, _ = strings.Cut(stderr, "\n")
				}
				if code != 125 || !strings.Contains(stderr, c.says) || strings.Count(stderr, "\n") != 1 {
					t.Errorf("%s: exit code %d, %.500q; want a line with %q", name, code, stderr, c.says)
				}
			})
			if left := l.Must("ps", "-aq"); left != "" {
				t.Errorf("containers are left: %s", left)
			}
		})
	}
}
