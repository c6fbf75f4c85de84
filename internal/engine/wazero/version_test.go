package wazero

import (
	"context"
	"os/exec"
	"reflect"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"

	"wherry/internal/engine/enginetest"
)

// TestVersion holds Version to go.mod.
func TestVersion(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Version}}", "github.com/tetratelabs/wazero").CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	if got := strings.TrimSpace(string(out)); got != "v"+Version {
		t.Errorf("go.mod has %s, Version is %s", got, Version)
	}
}

// TestHook: the cache object of this wazero release can be hooked, and another
// object is refused rather than trusted.
func TestHook(t *testing.T) {
	if _, err := hook(wazero.NewCompilationCache()); err != nil {
		t.Error(err)
	}
	if _, err := hook(nil); err == nil {
		t.Error("nil was hooked")
	}
}

// TestCapTables: the fields that bound a module's tables are where they were,
// a smaller maximum stays, and another object is refused rather than trusted.
func TestCapTables(t *testing.T) {
	e, err := New()
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for guest, want := range map[string]uint32{"memory": 10, "right": 10, "values": 5} {
		m, err := e.compile(context.Background(), enginetest.Guest(t, guest), entry{})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range m.compiled {
			if err := capTables(c, 10); err != nil {
				t.Fatalf("%s: %v", guest, err)
			}
			tables := reflect.ValueOf(c).Elem().FieldByName("module").Elem().FieldByName("TableSection")
			if got := tables.Index(0).FieldByName("Max").Elem().Uint(); uint32(got) != want {
				t.Errorf("%s: a table may have %d elements, want %d", guest, got, want)
			}
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := capTables(nil, 10); err == nil {
		t.Error("nothing was bounded")
	}
}
