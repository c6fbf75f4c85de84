//go:build linux

package hostile

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"wherry/internal/engine"
	"wherry/internal/engine/engines"
	"wherry/internal/testutil/wherry"
	"wherry/internal/wasi/host/socket"
	"wherry/internal/wasi/host/tree"
	"wherry/internal/wasi/preview1"
)

// enough is how many cases there must be on each engine and for each user.
const enough = 200

// compile builds the guest, and skips where there is no compiler for it.
func compile(t testing.TB, flags ...string) string {
	t.Helper()
	clang, err := exec.LookPath("clang")
	if err != nil && os.Getenv("CI") != "true" {
		t.Skip("no compiler for C guests: apt-get install clang lld")
	}
	sources, err := filepath.Glob("testdata/guest/*.c")
	if err != nil || len(sources) == 0 {
		t.Fatalf("no sources of the guest: %v", err)
	}
	module := filepath.Join(t.TempDir(), "guest.wasm")
	args := append([]string{"--target=wasm32-wasi", "-O1", "-ffreestanding", "-fno-builtin", "-nostdlib", "-mbulk-memory", "-Wall", "-Werror",
		"-Wl,--initial-memory=8388608", "-o", module}, flags...)
	if _, stderr, code := wherry.Output(t, exec.Command(clang, append(args, sources...)...)); code != 0 {
		t.Fatal(stderr)
	}
	return module
}

// program is the guest, compiled for one engine.
type program struct {
	t      testing.TB
	engine engine.Engine
	module engine.Module
	// cases run together, alone each in a guest of its own.
	cases, alone []string
}

func newProgram(t testing.TB, engineName string) *program {
	t.Helper()
	wasm, err := os.ReadFile(compile(t))
	if err != nil {
		t.Fatal(err)
	}
	p := &program{t: t}
	if p.engine, err = engines.Open(engineName); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.engine.Close() })
	if p.module, err = p.engine.Compile(context.Background(), wasm); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.module.Close() })
	p.cases, p.alone = names(t, p.run(nil, preview1.Config{Args: []string{"guest", "list"}}))
	return p
}

// names reads what the guest lists.
func names(t testing.TB, list string) (cases, alone []string) {
	t.Helper()
	for line := range strings.Lines(list) {
		line = strings.TrimSuffix(line, "\n")
		if name, ok := strings.CutPrefix(line, "alone "); ok {
			alone = append(alone, name)
		} else if name, ok := strings.CutPrefix(line, "case "); ok {
			cases = append(cases, name)
		} else {
			t.Fatalf("the guest lists %q", line)
		}
	}
	all := slices.Sorted(slices.Values(append(slices.Clone(cases), alone...)))
	if n := len(slices.Compact(slices.Clone(all))); n != len(all) || n < enough {
		t.Fatalf("%d cases, %d names, want %d at least", len(all), n, enough)
	}
	return cases, alone
}

// run runs the guest to its end in a process that has much to lose, and returns
// what it printed. w is nil for a guest without files.
func (p *program) run(w *world, c preview1.Config) string {
	p.t.Helper()
	// The engine's stack and the guest's system calls are this thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		p.t.Fatal(err)
	}
	defer null.Close()
	out, err := os.CreateTemp(p.t.TempDir(), "out")
	if err != nil {
		p.t.Fatal(err)
	}
	defer out.Close()
	c.Stdin, c.Stdout, c.Stderr = int(null.Fd()), int(out.Fd()), int(null.Fd())
	h, err := preview1.New(c)
	if err != nil {
		p.t.Fatal(err)
	}
	defer h.Close()
	s, err := p.engine.NewStore(engine.Limits{})
	if err != nil {
		p.t.Fatal(err)
	}
	defer s.Close()
	i, err := s.Instantiate(context.Background(), p.module, h.Resolve)
	if err != nil {
		p.t.Fatal(err)
	}
	_, err = i.Call(context.Background(), "_start")
	printed, rerr := os.ReadFile(out.Name())
	if err = errors.Join(err, rerr); err != nil {
		p.t.Errorf("the guest ended with %v; it printed\n%s", err, printed)
	}
	if w != nil && (strings.Contains(string(i.Memory("memory")), w.secret) || strings.Contains(string(printed), w.secret)) {
		p.t.Error("the canary is in the guest's memory")
	}
	return string(printed)
}

// in runs cases in a world: the guest's arguments behind what it is told.
func (p *program) in(w *world, files *tree.Tree, told []string, cases ...string) string {
	p.t.Helper()
	// Names are asked of a server that is not there.
	net, err := socket.New(socket.Config{Mode: socket.ModePrivate, DNS: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:1")}})
	if err != nil {
		p.t.Fatal(err)
	}
	defer net.Close()
	args := append(append([]string{"guest"}, told...), cases...)
	return p.run(w, preview1.Config{Args: args, Root: files, Net: net})
}

// verdicts reads what the guest printed of cases, all of which it must name.
func verdicts(t testing.TB, printed string, cases []string) map[string]string {
	t.Helper()
	got := map[string]string{}
	for line := range strings.Lines(printed) {
		verdict, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		name := ""
		for _, c := range cases { // a name may have a colon, and begin another
			if (rest == c || strings.HasPrefix(rest, c+": ")) && len(c) > len(name) {
				name = c
			}
		}
		switch {
		case name == "":
			t.Errorf("the guest printed %q", line)
		case verdict != "ok" || rest != name:
			got[name] += verdict + strings.TrimPrefix(rest, name) + " "
		case got[name] == "":
			got[name] = "ok"
		}
	}
	for _, c := range cases {
		if got[c] == "" {
			t.Errorf("%s: not run, or without an end", c)
		}
	}
	return got
}
