package test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"wherry/internal/testutil/docker"
	"wherry/internal/testutil/netns"
	"wherry/internal/testutil/wherry"
)

// A step is a command of the README with what it prints.
type step struct{ command, output string }

// firstMinute reads the session under the README's heading of that name.
func firstMinute(t *testing.T) []step {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(wherry.Root(t), "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, text, ok := strings.Cut(string(b), "## The first minute\n")
	if !ok {
		t.Fatal("README.md has no first minute")
	}
	var steps []step
	for line := range strings.Lines(strings.TrimLeft(text, "\n")) {
		line, ok := strings.CutPrefix(line, "    ")
		if !ok {
			break
		}
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			steps = append(steps, step{command: strings.TrimSuffix(command, "\n")})
		} else {
			steps[len(steps)-1].output += line
		}
	}
	return steps
}

// pattern turns what the README shows into what a machine may print: digests,
// sizes and times are its own.
func pattern(shown string) string {
	p := regexp.QuoteMeta(shown)
	for _, r := range [][2]string{
		{`sha256:[0-9a-f]+…`, `sha256:[0-9a-f]{12}…`},
		{`\b[0-9a-f]+…`, `[0-9a-f]{64}`},
		{`[0-9.]+\\?\.[0-9]+ MB`, `[0-9]+(\.[0-9]+)? [kM]B`},
		{`[0-9]+ seconds? ago`, `(Less than a second|[0-9]+ seconds?) ago`},
	} {
		p = regexp.MustCompile(r[0]).ReplaceAllLiteralString(p, r[1])
	}
	return "^" + p + "$"
}

// alone is an environment where Wherry has nothing yet: no folders, no daemon,
// no configuration. Whatever is started there ends with the test.
func alone(t *testing.T) (dir string, env []string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "wherry")
	if err != nil {
		t.Fatal(err)
	}
	bin := wherry.Programs(t)
	wherry.Reap(t, dir)
	for _, sub := range []string{"home", "data", "run"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		switch {
		case strings.HasPrefix(name, "DOCKER_"), strings.HasPrefix(name, "WHERRY_"), strings.HasPrefix(name, "XDG_"), name == "HOME", name == "PATH":
		default:
			env = append(env, v)
		}
	}
	cache, err := exec.Command("go", "env", "GOCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	modules, err := exec.Command("go", "env", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	return dir, append(env, "HOME="+filepath.Join(dir, "home"), "XDG_DATA_HOME="+filepath.Join(dir, "data"), "XDG_RUNTIME_DIR="+filepath.Join(dir, "run"),
		"GOCACHE="+strings.TrimSpace(string(cache)), "GOMODCACHE="+strings.TrimSpace(string(modules)),
		"PATH="+bin+":"+filepath.Dir(docker.Command(t))+":"+os.Getenv("PATH"))
}

// The session of the README works word for word, from nothing.
func TestFirstMinute(t *testing.T) {
	steps := firstMinute(t)
	if len(steps) < 5 {
		t.Fatalf("the README shows %d steps", len(steps))
	}
	var script strings.Builder
	script.WriteString("exec 2>&1\n")
	for i, s := range steps {
		// curl says how far it is where stderr is no terminal.
		command := strings.ReplaceAll(s.command, "curl ", "curl -sS --max-time 30 ")
		fmt.Fprintf(&script, "echo '== %d'\n%s\n", i, command)
	}
	dir, env := alone(t)
	cmd := netns.Command(t, "sh", "-c", script.String())
	cmd.Dir, cmd.Env = filepath.Join(dir, "home"), append(env, cmd.Env[len(cmd.Env)-1])
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	for i, s := range steps {
		_, printed, _ := bytes.Cut(out, []byte(fmt.Sprintf("== %d\n", i)))
		printed, _, _ = bytes.Cut(printed, []byte(fmt.Sprintf("== %d\n", i+1)))
		got := progress.ReplaceAllString(string(printed), "")
		if !regexp.MustCompile(pattern(s.output)).MatchString(got) {
			t.Errorf("$ %s\nprinted:\n%s\nwant:\n%s", s.command, printed, s.output)
		}
	}
}

// progress is what a build says on stderr on its way, and a first compile.
var progress = regexp.MustCompile(`(?m)^(compiling |Step \d|created |go: |Successfully | ---> |wherry: compiling ).*\n`)

// `make run` serves the example, and can be run again.
func TestMakeRun(t *testing.T) {
	_, env := alone(t)
	cmd := netns.Command(t, "sh", "-c", "make -s run && make -s run")
	cmd.Dir, cmd.Env = wherry.Root(t), append(env, cmd.Env[len(cmd.Env)-1])
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"\nHello from wasi/wasm\n", "0.0.0.0:8080->8080/tcp", "listens on", "wherry rm -f wasm-example"} {
		if n := bytes.Count(out, []byte(want)); n < 2 {
			t.Errorf("two times make run printed %q %d times:\n%s", want, n, out)
		}
	}
}
