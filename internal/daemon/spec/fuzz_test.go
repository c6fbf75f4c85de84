package spec

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"

	"wherry/internal/daemon/admit"
	"wherry/internal/shim/bundle"
)

// FuzzCreate takes what a client may ask of a container through all that looks
// at it before it runs: it is refused with a class, or becomes a specification
// that is JSON, whose mounts are absolute and whose annotations a shim takes.
func FuzzCreate(f *testing.F) {
	for _, seed := range [][2]string{
		{`{}`, `{}`},
		{`{"Env":["A=b","=","x"],"Cmd":["/a.wasm"],"WorkingDir":"../..","User":"1:2","ExposedPorts":{"80/tcp":{}},"Labels":{"a":"b"},"StopTimeout":-5}`,
			`{"Binds":["/a:/b:ro"],"PortBindings":{"80/tcp":[{"HostIp":"::","HostPort":"1-3"}]},"Memory":67108864,"NanoCpus":1,"CapAdd":["ALL"],"Privileged":true}`},
		{`{"Hostname":"a b","Domainname":"\u0000"}`, `{"Ulimits":[null,{"Name":"nofile","Soft":-1,"Hard":5}],"Tmpfs":{"/t":"size=1g,mode=9"},"Sysctls":{"net.x":"1"},"SecurityOpt":["seccomp={"],"ExtraHosts":["a:b:c"],"Dns":["1.1.1.1"]}`},
		{`{"Healthcheck":{"Test":["CMD"]},"Volumes":{"/v":{}}}`, `{"LogConfig":{"Type":"x","Config":{"max-size":"-1"}},"NetworkMode":"container:x","RestartPolicy":{"Name":"always","MaximumRetryCount":-3},"PidsLimit":-9,"BlkioWeightDevice":[null],"Annotations":{"wherry.connect":"*:*"}}`},
	} {
		f.Add([]byte(seed[0]), []byte(seed[1]))
	}
	f.Fuzz(func(t *testing.T, config, hostConfig []byte) {
		c := box()
		var cfg container.Config
		var host container.HostConfig
		if json.Unmarshal(config, &cfg) != nil || json.Unmarshal(hostConfig, &host) != nil {
			return
		}
		c.Config, c.HostConfig = &cfg, &host
		if _, err := admit.Check(&cfg, &host, capable); err != nil {
			classified(t, err)
			return
		}
		if err := Validate(c, capable); err != nil {
			classified(t, err)
			return
		}
		s, err := New(c, Places{Upper: "/upper", Log: "/log", Cache: "/cache", Machine: capable})
		if err != nil {
			classified(t, err)
			return
		}
		if _, err := json.Marshal(s); err != nil {
			t.Errorf("no JSON: %v", err)
		}
		for _, m := range s.Mounts {
			if !filepath.IsAbs(m.Destination) {
				t.Errorf("a mount at %q", m.Destination)
			}
		}
		for name, value := range s.Annotations {
			if !strings.HasPrefix(name, "dev.wherry.") {
				continue
			}
			if err := bundle.CheckAnnotation(name, value); err != nil {
				t.Errorf("%s=%q: %v", name, value, err)
			}
		}
	})
}

func classified(t *testing.T, err error) {
	t.Helper()
	if !errdefs.IsInvalidArgument(err) && !errdefs.IsNotFound(err) && !errdefs.IsNotImplemented(err) && !errdefs.IsConflict(err) {
		t.Errorf("unclassified: %v", err)
	}
}
