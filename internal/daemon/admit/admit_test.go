package admit

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	apinetwork "github.com/moby/moby/api/types/network"
)

// A field that a new version of the API adds must be decided on.
func TestEveryFieldHasARow(t *testing.T) {
	for _, tt := range []struct {
		typ   reflect.Type
		rules []rule
		skip  string
	}{
		{reflect.TypeFor[container.HostConfig](), hostRules, "Resources"},
		{reflect.TypeFor[container.Resources](), resourceRules, ""},
		{reflect.TypeFor[container.Config](), configRules, ""},
	} {
		rows := map[string]int{}
		for _, r := range tt.rules {
			rows[r.field]++
			if (r.verdict != works && r.verdict != holds) != (r.set != nil) {
				t.Errorf("%s: a limit, warning or refusal, and nothing else, has a test of when", r.field)
			}
			if r.verdict == limits {
				if r.option == "" || r.clear == nil || r.feature != "" && !slices.Contains(Features, r.feature) {
					t.Errorf("%s: a limit has an option, a feature that is listed, and a way to take it away", r.field)
				}
			} else if r.set != nil && (r.why == "" || strings.Contains(r.why, "\n")) {
				t.Errorf("%s: wants one line, has %q", r.field, r.why)
			}
		}
		for i := range tt.typ.NumField() {
			name := tt.typ.Field(i).Name
			if name == tt.skip {
				continue
			}
			if rows[name] != 1 {
				t.Errorf("%s.%s has %d rows, want 1", tt.typ.Name(), name, rows[name])
			}
			delete(rows, name)
		}
		for name := range rows {
			t.Errorf("%s has no field %s", tt.typ.Name(), name)
		}
	}
}

// bare is a machine that can do nothing about limits.
func bare() Machine { return Machine{} }

func ptr[T any](v T) *T { return &v }

func TestCheck(t *testing.T) {
	udp := apinetwork.MustParsePort("53/sctp")
	for name, tt := range map[string]struct {
		c        container.Config
		h        container.HostConfig
		refusal  string // a part of it
		warnings int
	}{
		"what the docker CLI sends by default": {
			c: container.Config{AttachStdout: true, AttachStderr: true},
			h: container.HostConfig{
				NetworkMode: "default", RestartPolicy: container.RestartPolicy{Name: "no"}, LogConfig: container.LogConfig{Config: map[string]string{}},
				ConsoleSize: [2]uint{24, 80}, Resources: container.Resources{MemorySwappiness: ptr(int64(-1)), OomKillDisable: ptr(false), PidsLimit: ptr(int64(0))},
			},
		},
		"hardening": {h: container.HostConfig{
			CapDrop: []string{"ALL"}, CapAdd: []string{"NET_BIND_SERVICE"}, SecurityOpt: []string{"no-new-privileges", "seccomp=builtin", "label=disable"},
			ReadonlyRootfs: true, Init: ptr(true),
		}},
		"a health check":        {c: container.Config{Healthcheck: &container.HealthConfig{Test: []string{"CMD", "x"}}}},
		"a shell's check":       {c: container.Config{Healthcheck: &container.HealthConfig{Test: []string{"CMD-SHELL", "x"}}}, refusal: "there is no shell"},
		"no health check":       {c: container.Config{Healthcheck: &container.HealthConfig{Test: []string{"NONE"}}}},
		"privileged":            {h: container.HostConfig{Privileged: true}, refusal: "--privileged"},
		"a capability too many": {h: container.HostConfig{CapAdd: []string{"SYS_ADMIN"}}, warnings: 1},
		"no capability":         {h: container.HostConfig{CapAdd: []string{"FLY"}}, refusal: `unknown capability: "FLY"`},
		"not to drop":           {h: container.HostConfig{CapDrop: []string{"CAP_FLY"}}, refusal: `unknown capability: "CAP_FLY"`},
		"device":                {h: container.HostConfig{Resources: container.Resources{Devices: []container.DeviceMapping{{}}}}, refusal: "--device"},
		"pid":                   {h: container.HostConfig{PidMode: "host"}, refusal: "--pid"},
		"ipc":                   {h: container.HostConfig{IpcMode: "host"}, refusal: "--ipc"},
		"security option":       {h: container.HostConfig{SecurityOpt: []string{"magic"}}, refusal: "--security-opt"},
		"network":               {h: container.HostConfig{NetworkMode: "mine"}, refusal: "networks are not built yet"},
		"log driver":            {h: container.HostConfig{LogConfig: container.LogConfig{Type: "syslog"}}, refusal: "there are json-file and none"},
		"log option":            {h: container.HostConfig{LogConfig: container.LogConfig{Config: map[string]string{"compress": "true"}}}, refusal: "unknown log opt 'compress'"},
		"log size":              {h: container.HostConfig{LogConfig: container.LogConfig{Config: map[string]string{"max-size": "ten"}}}, refusal: "want a size such as 10m"},
		"--rm and a policy":     {h: container.HostConfig{AutoRemove: true, RestartPolicy: container.RestartPolicy{Name: "always"}}, refusal: "can't create 'AutoRemove' container"},
		"policy":                {h: container.HostConfig{RestartPolicy: container.RestartPolicy{Name: "sometimes"}}, refusal: "unknown policy 'sometimes'"},
		"memory":                {h: container.HostConfig{Resources: container.Resources{Memory: 1 << 20}}, refusal: "Minimum memory limit allowed is 6MB"},
		"protocol":              {h: container.HostConfig{PortBindings: apinetwork.PortMap{udp: nil}}, refusal: "no sctp"},
		"host port":             {h: container.HostConfig{PortBindings: apinetwork.PortMap{apinetwork.MustParsePort("80"): {{HostPort: "8000-8010"}}}}, refusal: "want one number"},
		"volume driver":         {h: container.HostConfig{VolumeDriver: "nfs"}, refusal: `only "local" is built in`},
		"environment":           {c: container.Config{Env: []string{"=x"}}, refusal: "want NAME=value"},
		"working directory":     {c: container.Config{WorkingDir: "here"}, refusal: "needs to be an absolute path"},
		"ulimit":                {h: container.HostConfig{Resources: container.Resources{Ulimits: []*container.Ulimit{{Name: "nofile", Soft: 2, Hard: 1}}}}, refusal: "soft limit"},
		"ulimit of the stack":   {h: container.HostConfig{Resources: container.Resources{Ulimits: []*container.Ulimit{{Name: "stack", Soft: 1, Hard: 1}}}}, warnings: 1},
	} {
		t.Run(name, func(t *testing.T) {
			warnings, err := Check(&tt.c, &tt.h, bare)
			switch {
			case tt.refusal == "" && err != nil:
				t.Errorf("refused: %v", err)
			case tt.refusal != "" && (err == nil || !strings.Contains(err.Error(), tt.refusal)):
				t.Errorf("answers %v, want %q", err, tt.refusal)
			case tt.refusal != "" && !errdefs.IsInvalidArgument(err) && !errdefs.IsNotFound(err):
				t.Errorf("%v has no class", err)
			}
			if len(warnings) != tt.warnings {
				t.Errorf("warnings %q, want %d", warnings, tt.warnings)
			}
		})
	}
}

func TestRuntime(t *testing.T) {
	for name, want := range map[string]string{
		"": "io.containerd.wherry.v1", "wasmedge": "io.containerd.wasmedge.v1", "io.containerd.wazero.v1": "io.containerd.wazero.v1",
	} {
		if got, err := Runtime(name); got != want || err != nil {
			t.Errorf("%q is %q (%v), want %q", name, got, err, want)
		}
	}
	if _, err := Runtime("runc"); !errdefs.IsInvalidArgument(err) {
		t.Errorf("runc: %v", err)
	}
}
