//go:build linux

package shim

import (
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
)

func TestCheckHooks(t *testing.T) {
	for name, c := range map[string]struct {
		hooks *specs.Hooks
		want  string
	}{
		"none":    {nil, ""},
		"runtime": {&specs.Hooks{CreateRuntime: []specs.Hook{{Path: "/bin/true"}}}, ""},
		"inside":  {&specs.Hooks{StartContainer: []specs.Hook{{Path: "/bin/true"}}}, "use createRuntime"},
		"path":    {&specs.Hooks{Poststop: []specs.Hook{{Path: "true"}}}, "absolute"},
	} {
		err := checkHooks(&spec{Spec: specs.Spec{Hooks: c.hooks}})
		if c.want == "" && err != nil || c.want != "" && (!errdefs.IsInvalidArgument(err) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
