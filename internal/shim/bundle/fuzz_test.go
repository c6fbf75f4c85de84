package bundle

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzRead holds that a damaged file of a bundle, which another process writes,
// is told with its path, and that what is read is what was written.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		`[{"proto":"tcp","hostIP":"::","hostPort":80,"containerPort":80}]`, `{"code":137,"reason":"x","exitedAt":"2024-01-01T00:00:00Z"}`,
		`[{"hostPort":65536}]`, `{"exitedAt":"x"}`, `{"code":1e99}`, ``, `{`, `null`, "\xff",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		for name, v := range map[string]any{Ports: new([]Port), Exit: new(ExitStatus), Compiling: new(Compile)} {
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := Read(dir, name, v); err != nil {
				if !strings.Contains(err.Error(), filepath.Join(dir, name)) {
					t.Errorf("no path in %v", err)
				}
				continue
			}
			if err := Write(dir, name, v); err != nil {
				t.Errorf("what was read can't be written: %v", err)
				continue
			}
			again, err := os.ReadFile(filepath.Join(dir, name))
			if want, _ := json.Marshal(v); err != nil || string(again) != string(want) {
				t.Errorf("%s became %s, %v", want, again, err)
			}
		}
	})
}

// FuzzAnnotation holds that users' own annotations are taken or refused in one
// line.
func FuzzAnnotation(f *testing.F) {
	for _, seed := range [][2]string{{Connect, "api.example.com:443,10.0.0.0/8:*"}, {Connect, "none"}, {Connect, "[::1]:80 *:1"}, {Listen, Preopen}, {Listen, "x\n"}, {Files, NoFiles}, {"wherry.\n", ""}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, name, value string) {
		err := CheckAnnotation(name, value)
		if err != nil && len(err.Error()) > 1000+2*len(name)+4*len(value) {
			t.Errorf("%d bytes of words for %q=%q", len(err.Error()), name, value)
		}
		if list, e := ConnectList(value); name == Connect && (e == nil) != (err == nil) {
			t.Errorf("%q is taken for %v, but checked with %v", value, list, err)
		}
	})
}
