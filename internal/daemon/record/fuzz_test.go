package record

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzLoad holds that a damaged record is told and left alone, and that a
// record that is taken is the one that its folder says.
func FuzzLoad(f *testing.F) {
	id := strings.Repeat("a", 64)
	for _, seed := range []string{
		`{"Version":1,"ID":"` + id + `","Name":"x","Config":{},"HostConfig":{}}`,
		`{"Version":1,"ID":"` + id + `","Name":"x","Config":{"Env":null,"ExposedPorts":{"x":{}}},"HostConfig":{"PortBindings":{"80/tcp":[{"HostPort":"x"}]}}}`,
		`{"Version":1,"ID":"../x","Name":"x","Config":{},"HostConfig":{}}`, `{`, `null`, ``, `[]`, "\x00",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		s, err := Open(filepath.Join(dir, "containers"), filepath.Join(dir, "trash"))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(s.Dir(id), 0o700); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(s.Dir(id), file)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		told := 0
		all, err := s.Load(func(which string, err error) {
			if told++; which != id || err == nil {
				t.Errorf("told of %q: %v", which, err)
			}
		})
		if err != nil || len(all)+told != 1 {
			t.Fatalf("%d records, %d damaged: %v", len(all), told, err)
		}
		for _, c := range all {
			if c.ID != id || c.Config == nil || c.HostConfig == nil || c.Name == "" {
				t.Errorf("took %+v", c)
			}
		}
		if now, err := os.ReadFile(path); err != nil || string(now) != string(data) {
			t.Errorf("the record was changed: %v", err)
		}
	})
}
