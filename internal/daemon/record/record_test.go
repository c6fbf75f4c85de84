package record

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moby/moby/api/types/container"
)

func TestStore(t *testing.T) {
	dir := t.TempDir()
	open := func() *Store {
		t.Helper()
		s, err := Open(filepath.Join(dir, "containers"), filepath.Join(dir, "tmp"))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open()
	id := strings.Repeat("ab", 32)
	c := &Container{ID: id, Name: "web", Config: &container.Config{Image: "app"}, HostConfig: &container.HostConfig{}, State: State{Status: "created"}}
	if err := s.Create(c); err != nil {
		t.Fatal(err)
	}
	c.State.ExitCode = 7
	if err := s.Save(c); err != nil {
		t.Fatal(err)
	}
	// What a crash, a mistake, or another version may leave beside it.
	half, damaged, foreign := strings.Repeat("1", 64), strings.Repeat("2", 64), strings.Repeat("3", 64)
	for name, text := range map[string]string{half: "", damaged: "{", foreign: `{"Version":99,"ID":"` + foreign + `"}`} {
		if err := os.Mkdir(s.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if text == "" {
			continue
		}
		if err := os.WriteFile(filepath.Join(s.Dir(name), file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	bad := map[string]bool{}
	all, err := open().Load(func(id string, _ error) { bad[id] = true })
	if err != nil || len(all) != 1 || all[0].State.ExitCode != 7 || all[0].Config.Image != "app" {
		t.Fatalf("%+v %v", all, err)
	}
	if len(bad) != 2 || !bad[damaged] || !bad[foreign] {
		t.Errorf("told of %v", bad)
	}
	if _, err := os.Stat(s.Dir(half)); !os.IsNotExist(err) {
		t.Errorf("a half-made container is left: %v", err)
	}
	if _, err := os.Stat(s.Dir(damaged)); err != nil {
		t.Errorf("a damaged container was removed: %v", err)
	}
	if err := s.Remove(id); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(s.Dir(id)); !os.IsNotExist(err) {
		t.Errorf("the folder is left: %v", err)
	}
	if err := s.Remove(id); err != nil {
		t.Errorf("removing it twice: %v", err)
	}
}
