package build

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// runner is a guest in Go.
type runner func(RunSpec) (int, error)

func (r runner) Run(_ context.Context, s RunSpec) (int, error) { return r(s) }

func TestRunMakesALayer(t *testing.T) {
	var got RunSpec
	guest := runner(func(s RunSpec) (int, error) {
		got = s
		err := errors.Join(
			os.WriteFile(filepath.Join(s.Root, "new"), []byte("n"), 0o644),
			os.WriteFile(filepath.Join(s.Root, "same-size"), []byte("2"), 0o644),
			os.Chmod(filepath.Join(s.Root, "mode"), 0o600),
			os.RemoveAll(filepath.Join(s.Root, "gone")),
			os.Remove(filepath.Join(s.Root, "was-folder")),
			os.WriteFile(filepath.Join(s.Root, "was-folder"), []byte("f"), 0o644),
			os.Symlink("new", filepath.Join(s.Root, "link")),
		)
		_, werr := s.Output.Write([]byte("said\n"))
		return 0, errors.Join(err, werr)
	})
	files := map[string]string{
		"Dockerfile": "FROM scratch\nARG A=1\nENV E=2\nWORKDIR /w\nUSER 5\nCOPY . /\nRUN a.wasm x 'y z'\nCOPY new /again\n",
		"a.wasm":     hello, "new": "", "same-size": "1", "mode": "m", "gone/deep/f": "f", "was-folder/": "", "untouched": "u",
		".dockerignore": "Dockerfile\n.dockerignore\n",
	}
	delete(files, "new")
	files["new2"] = "c"
	files["Dockerfile"] = strings.Replace(files["Dockerfile"], "COPY new /again", "COPY new2 /again", 1)
	b, err := run(t, openStore(t), Options{Runner: guest, Args: map[string]*string{"HTTP_PROXY": str("p")}}, files)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"new": "n", "same-size": "2", "mode": "m", ".wh.gone": "", "was-folder": "f", "link": "-> new"}
	if l := b.layers[2]; !maps.Equal(l, want) {
		t.Errorf("the layer has %q, want %q", l, want)
	}
	if !slices.Equal(got.Args, []string{"a.wasm", "x", "y z"}) || got.Dir != "/w" || got.User != "5" || !slices.Equal(got.Env, []string{"E=2", "A=1", "HTTP_PROXY=p"}) {
		t.Errorf("the guest got %+v", got)
	}
	if !strings.Contains(b.log, "said\n") {
		t.Errorf("log: %s", b.log)
	}
}

func TestRunFails(t *testing.T) {
	for name, tc := range map[string]struct {
		guest runner
		want  string
	}{
		"exit code": {func(RunSpec) (int, error) { return 3, nil }, `Dockerfile:3: The command "/a.wasm -v" returned a non-zero code: 3`},
		"no start":  {func(RunSpec) (int, error) { return 0, errors.New("no such program") }, "Dockerfile:3: no such program"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := run(t, openStore(t), Options{Runner: tc.guest}, map[string]string{"Dockerfile": "FROM scratch\nCOPY a.wasm /\nRUN [\"/a.wasm\", \"-v\"]\n", "a.wasm": hello})
			if err == nil || !strings.HasPrefix(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

func TestWords(t *testing.T) {
	for line, want := range map[string][]string{
		"/a.wasm -x 1":        {"/a.wasm", "-x", "1"},
		`a.wasm "b c" 'd $e'`: {"a.wasm", "b c", "d $e"},
		`a.wasm b\ c`:         {"a.wasm", "b c"},
		"a.wasm > f":          nil, "a.wasm $HOME": nil, `a.wasm "$HOME"`: nil, "a.wasm *.c": nil, "a && b": nil, "": nil, "a `b`": nil,
	} {
		got, err := words(line)
		if !slices.Equal(got, want) || (want == nil) != (err != nil) {
			t.Errorf("%s: %q, %v; want %q", line, got, err, want)
		}
	}
}
