//go:build linux

package hook

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
)

func shell(script string) specs.Hook {
	return specs.Hook{Path: "/bin/sh", Args: []string{"sh", "-c", script}, Env: []string{"WHAT=hook"}}
}

func TestRun(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	state := specs.State{Version: specs.Version, ID: "web", Status: specs.StateCreated, Pid: 42, Bundle: "/b"}
	if err := Run(t.Context(), "createRuntime", []specs.Hook{shell("cat > " + out), shell("env >> " + out)}, state); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	var got specs.State
	if err := json.NewDecoder(strings.NewReader(string(data))).Decode(&got); err != nil || got.Pid != 42 || got.ID != "web" {
		t.Errorf("the hook read %+v, %v", got, err)
	}
	if !strings.Contains(string(data), "WHAT=hook") || strings.Contains(string(data), "HOME=") {
		t.Errorf("the hook's environment was %s", data)
	}
}

func TestRunFails(t *testing.T) {
	second := 1
	slow := shell("sleep 60 & sleep 60")
	slow.Timeout = &second
	out := filepath.Join(t.TempDir(), "out")
	for name, c := range map[string]struct {
		hook specs.Hook
		want string
	}{
		"fails":   {shell("echo no such bridge >&2; exit 3"), "no such bridge"},
		"slow":    {slow, "longer than the 1 s"},
		"missing": {specs.Hook{Path: "/nowhere/at/all"}, "no such file"},
	} {
		err := Run(t.Context(), "prestart", []specs.Hook{c.hook, shell("touch " + out)}, specs.State{})
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "prestart") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a hook ran after one that failed")
	}
	if err := RunAll(t.Context(), "poststop", []specs.Hook{shell("exit 1"), shell("touch " + out)}, specs.State{}); err == nil {
		t.Error("a failure was swallowed")
	}
	if _, err := os.Stat(out); err != nil {
		t.Errorf("a poststop hook did not run after one that failed: %v", err)
	}
}

func TestCheck(t *testing.T) {
	zero := 0
	for _, h := range []specs.Hook{{Path: "sh"}, {Path: "/bin/sh", Timeout: &zero}} {
		if err := Check([]specs.Hook{h}); !errdefs.IsInvalidArgument(err) {
			t.Errorf("%+v: %v", h, err)
		}
	}
}
