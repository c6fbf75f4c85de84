package install

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
)

func TestSetJSON(t *testing.T) {
	for name, c := range map[string]struct{ doc, want string }{
		"none":    {"", "{\n  \"features\": {\n    \"containerd-snapshotter\": true\n  }\n}\n"},
		"empty":   {"{}", "{\n  \"features\": {\n    \"containerd-snapshotter\": true\n  }\n}"},
		"others":  {"{\n    \"debug\": true,\n    \"log-opts\": {\"max-size\": \"1m\"}\n}\n", "{\n    \"debug\": true,\n    \"log-opts\": {\"max-size\": \"1m\"},\n    \"features\": {\n        \"containerd-snapshotter\": true\n    }\n}\n"},
		"there":   {"{\"features\":{\"containerd-snapshotter\" : false ,\"buildkit\":true}}", "{\"features\":{\"containerd-snapshotter\" : true ,\"buildkit\":true}}"},
		"sibling": {"{\n\t\"features\": {\n\t\t\"buildkit\": true\n\t}\n}\n", "{\n\t\"features\": {\n\t\t\"buildkit\": true,\n\t\t\"containerd-snapshotter\": true\n\t}\n}\n"},
		"line":    {`{"features": {"cdi": true}}`, `{"features": {"cdi": true, "containerd-snapshotter": true}}`},
		"escaped": {`{"a\"b": 1}`, `{"a\"b": 1, "features": {"containerd-snapshotter": true}}`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := setJSON([]byte(c.doc), imageStore, true)
			if err != nil {
				t.Fatal(err)
			}
			if normal(string(got)) != normal(c.want) {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			value, err := getJSON(got, imageStore)
			if err != nil || string(value) != "true" {
				t.Errorf("reads back as %s, %v", value, err)
			}
			if !strings.Contains(c.doc, "snapshotter") && c.doc != "" {
				back, err := removeJSON(got, imageStore)
				if err != nil || !sameJSON(t, back, []byte(c.doc)) {
					t.Errorf("taken out again it is %s, %v", back, err)
				}
			}
		})
	}
	for _, doc := range []string{"[]", "{", "{} {}", `{"features": 1}`, "null", "# yaml"} {
		if got, err := setJSON([]byte(doc), imageStore, true); !errdefs.IsInvalidArgument(err) {
			t.Errorf("%s became %s, %v", doc, got, err)
		}
	}
}

// normal takes away how an object on one line is spread, which is a matter of
// taste.
func normal(s string) string { return strings.Join(strings.Fields(s), "") }

func sameJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	var x, y any
	if err := errors.Join(json.Unmarshal(a, &x), json.Unmarshal(b, &y)); err != nil {
		t.Fatal(err)
	}
	return reflect.DeepEqual(x, y)
}

func FuzzSetJSON(f *testing.F) {
	for _, doc := range []string{"{}", `{"features":{"a":1}}`, `{"x":[{"y":"}"}], "features" : {} }`, "\n{\n}\n"} {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		got, err := setJSON(doc, imageStore, true)
		if err != nil {
			return
		}
		value, err := getJSON(got, imageStore)
		if err != nil || string(value) != "true" {
			t.Fatalf("%q became %q: %s, %v", doc, got, value, err)
		}
		if back, err := removeJSON(got, imageStore); err != nil || !json.Valid(back) {
			t.Fatalf("%q became %q, and then %q, %v", doc, got, back, err)
		}
	})
}

func TestBlock(t *testing.T) {
	const mine = "# my own\nversion = %d\n\n[plugins.'%s'.containerd.runtimes.runc] # keep\n  runtime_type = 'io.containerd.runc.v2'\n"
	for version, plugin := range map[int64]string{2: "io.containerd.grpc.v1.cri", 3: "io.containerd.cri.v1.runtime", 4: "io.containerd.cri.v1.runtime"} {
		doc := fmt.Appendf(nil, mine, version, plugin)
		got, names, err := withBlock(doc, version, Names, false)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(got, doc) || len(names) != len(Names) {
			t.Errorf("version %d: %v\n%s", version, names, got)
		}
		defined, err := definedRuntimes(got, version)
		if err != nil || len(defined) != len(Names)+1 {
			t.Errorf("version %d defines %v, %v", version, defined, err)
		}
		again, _, err := withBlock(got, version, Names, false)
		if err != nil || !bytes.Equal(again, got) {
			t.Errorf("version %d: a second time it is %v\n%s", version, err, again)
		}
		back, err := withoutBlock(got)
		if err != nil || !bytes.Equal(back, doc) {
			t.Errorf("version %d: taken out it is %v\n%s", version, err, back)
		}
	}
	// What is there already stays.
	doc := []byte("version = 3\n[plugins.\"io.containerd.cri.v1.runtime\".containerd.runtimes.wasmedge]\nruntime_type = \"io.containerd.wasmedge.v1\"\n")
	if got, names, err := withBlock(doc, 3, Names, false); err != nil || len(names) != len(Names)-1 || strings.Count(string(got), "runtimes.wasmedge]") != 1 {
		t.Errorf("%v, %v\n%s", names, err, got)
	}
	// What containerd has by itself stays too.
	for version, want := range map[int64]bool{2: true, 3: false} {
		got, names, err := withBlock(fmt.Appendf(nil, "version = %d\n", version), version, Names, false)
		if err != nil {
			t.Fatal(err)
		}
		if defined, err := definedRuntimes(got, version); err != nil || slices.Contains(defined, "runc") != want || slices.Contains(names, "runc") {
			t.Errorf("version %d defines %v, %v", version, defined, err)
		}
		if again, _, err := withBlock(got, version, Names, false); err != nil || !bytes.Equal(again, got) {
			t.Errorf("version %d: a second time it is %v\n%s", version, err, again)
		}
	}
	for _, bad := range []string{"version = 1\n", "x", "version = 9\n", ""} {
		if v, err := configVersion([]byte(bad)); !errdefs.IsInvalidArgument(err) {
			t.Errorf("%q has version %d, %v", bad, v, err)
		}
	}
	if _, err := withoutBlock([]byte(blockBegin + "x\n")); !errdefs.IsFailedPrecondition(err) {
		t.Errorf("a block without end gave %v", err)
	}
}

// scene is a folder in which an installation happens.
type scene struct {
	Options
	dir string
	out bytes.Buffer
}

func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{dir: t.TempDir()}
	saved := stateDir
	stateDir = filepath.Join(s.dir, "state")
	t.Cleanup(func() { stateDir = saved })
	s.Options = Options{
		Shim: buildShim(t), BinDir: filepath.Join(s.dir, "bin"),
		Host: "unix://" + filepath.Join(s.dir, "none.sock"), Out: &s.out,
	}
	return s
}

// buildShim makes a program that is Wherry's shim by name of its main package:
// which is what tells one.
func buildShim(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), program("wherry"))
	cmd := exec.Command("go", "build", "-trimpath", "-tags", "netgo,osusergo", "-ldflags", "-s -w", "-o", path, "wherry/cmd/containerd-shim-wherry-v1")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the shim: %v\n%s", err, out)
	}
	return path
}

func TestDocker(t *testing.T) {
	s := newScene(t)
	s.Config = filepath.Join(s.dir, "daemon.json")
	const mine = "{\n  \"debug\": true\n}\n"
	if err := os.WriteFile(s.Config, []byte(mine), 0o640); err != nil {
		t.Fatal(err)
	}
	foreign := filepath.Join(s.BinDir, program("wasmedge"))
	if err := errors.Join(os.MkdirAll(s.BinDir, 0o755), os.WriteFile(foreign, []byte("#!/bin/sh\n"), 0o755)); err != nil {
		t.Fatal(err)
	}

	if err := Docker(t.Context(), s.Options); !errdefs.IsFailedPrecondition(err) || !strings.Contains(err.Error(), "--yes") {
		t.Fatalf("without --yes: %v", err)
	}
	if left, err := os.ReadDir(s.BinDir); err != nil || len(left) != 1 {
		t.Errorf("refused, it left %v, %v", left, err)
	}
	s.Yes = true
	if err := Docker(t.Context(), s.Options); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(s.Config)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := getJSON(data, imageStore); err != nil || string(v) != "true" || !strings.Contains(string(data), `"debug": true`) {
		t.Errorf("the configuration is %s, %v", data, err)
	}
	if info, err := os.Stat(s.Config); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("its mode is %v, %v", info.Mode(), err)
	}
	for _, name := range []string{"wherry", "wasmtime", "wazero"} {
		if path := filepath.Join(s.BinDir, program(name)); !ours(path) {
			t.Errorf("%s is not there", path)
		}
	}
	if data, err := os.ReadFile(foreign); err != nil || string(data) != "#!/bin/sh\n" || !strings.Contains(s.out.String(), "another project's") {
		t.Errorf("another project's shim is %q, %v; it said:\n%s", data, err, s.out.String())
	}
	// A second time nothing changes; then the daemon's owner edits the file.
	if err := Docker(t.Context(), s.Options); err != nil {
		t.Fatal(err)
	}
	edited := strings.Replace(string(data), "true,", "false,", 1)
	if err := os.WriteFile(s.Config, []byte(edited), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := UninstallDocker(s.Options); err != nil {
		t.Fatal(err)
	}
	if data, err = os.ReadFile(s.Config); err != nil || string(data) != strings.Replace(mine, "true", "false", 1) {
		t.Errorf("taken back the configuration is %s, %v", data, err)
	}
	if left, err := os.ReadDir(s.BinDir); err != nil || len(left) != 1 {
		t.Errorf("what is left is %v, %v", left, err)
	}
	if _, err := os.Stat(stateDir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the record is left: %v", err)
	}
	if err := UninstallDocker(s.Options); !errdefs.IsNotFound(err) {
		t.Errorf("a second time it gives %v", err)
	}
}

func TestDockerRollsBack(t *testing.T) {
	s := newScene(t)
	s.Config, s.Yes = filepath.Join(s.dir, "daemon.json"), true
	fake := filepath.Join(s.dir, "path")
	if err := errors.Join(os.Mkdir(fake, 0o755), os.WriteFile(filepath.Join(fake, "dockerd"), []byte("#!/bin/sh\necho unable to configure: no such feature >&2; exit 1\n"), 0o755)); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", fake+":"+os.Getenv("PATH"))
	err := Docker(t.Context(), s.Options)
	if err == nil || !strings.Contains(err.Error(), "no such feature") {
		t.Fatalf("a configuration that the daemon refuses gave %v", err)
	}
	if _, err := os.Stat(s.Config); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the configuration is left: %v", err)
	}
	if left, err := os.ReadDir(s.BinDir); err != nil || len(left) != 0 {
		t.Errorf("shims are left: %v, %v", left, err)
	}
}

func TestContainerd(t *testing.T) {
	for name, c := range map[string]struct{ file, before string }{
		"config":   {"config.toml", "version = 2\n# mine\n[debug]\n  level = 'info'\n"},
		"template": {"config-v3.toml.tmpl", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			t.Setenv("PATH", s.dir) // no containerd that would read it
			s.Config = filepath.Join(s.dir, c.file)
			if c.before != "" {
				if err := os.WriteFile(s.Config, []byte(c.before), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if err := Containerd(t.Context(), s.Options); err != nil {
				t.Fatal(err)
			}
			data, err := os.ReadFile(s.Config)
			if err != nil || !strings.Contains(string(data), "io.containerd.wasmedge.v1") || !strings.HasPrefix(string(data), c.before) {
				t.Errorf("it is %v\n%s", err, data)
			}
			if c.before == "" && !strings.HasPrefix(string(data), baseTemplate) {
				t.Errorf("the template does not take over what the distribution writes:\n%s", data)
			}
			if err := UninstallContainerd(s.Options); err != nil {
				t.Fatal(err)
			}
			data, err = os.ReadFile(s.Config)
			if c.before == "" && !errors.Is(err, fs.ErrNotExist) || c.before != "" && string(data) != c.before {
				t.Errorf("taken back it is %v\n%s", err, data)
			}
		})
	}
}

func TestFindings(t *testing.T) {
	if !olderThan("1.6.33", 1, 7) || olderThan("1.7.24", 1, 7) || olderThan("2.4.2", 1, 7) || olderThan("dev", 1, 7) {
		t.Error("versions compare wrongly")
	}
	p := daemonProcess{pid: 1, path: []string{t.TempDir()}}
	var out bytes.Buffer
	if !Print(&out, p.findings(t.Context())) || !strings.Contains(out.String(), "wherry install docker") {
		t.Errorf("a daemon without shim gave\n%s", out.String())
	}
	if list := aboutWalls(t.Context(), "/nowhere"); len(list) != 1 || list[0].Status != Bad {
		t.Errorf("a shim that is missing gave %v", list)
	}
}
