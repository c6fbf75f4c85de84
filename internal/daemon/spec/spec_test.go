package spec

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/api/types/network"

	"wherry/internal/daemon/admit"
	"wherry/internal/daemon/record"
	"wherry/internal/daemon/users"
	"wherry/internal/shim/bundle"
)

func box() *record.Container {
	return &record.Container{
		ID: strings.Repeat("a", 64), Name: "web", Path: "/app.wasm", Args: []string{"-v"},
		Image: record.Image{Tree: "/tree"}, Config: &container.Config{Hostname: "boat"},
		HostConfig: &container.HostConfig{Runtime: "io.containerd.wazero.v1", NetworkMode: "bridge", DNS: []netip.Addr{netip.MustParseAddr("9.9.9.9")}, DNSSearch: []string{"."}},
	}
}

// capable is a machine that can enforce every limit.
func capable() admit.Machine {
	return admit.Machine{Cgroup: "v1", Features: admit.Features, CgroupParent: "/wherry/", AppArmor: true}
}

func TestNew(t *testing.T) {
	c := box()
	c.Config.OpenStdin, c.Config.StdinOnce, c.Config.WorkingDir, c.Config.User = true, true, "/w", "5:6"
	c.HostConfig.Memory = 64 << 20
	c.HostConfig.Annotations = map[string]string{"wherry.listen": "preopen"}
	c.HostConfig.LogConfig.Config = map[string]string{"max-size": "1k", "max-file": "2"}
	c.HostConfig.ExtraHosts = []string{"db:10.0.0.1", "db:[fe80::1]"}
	c.HostConfig.PortBindings = network.PortMap{network.MustParsePort("80"): {{HostPort: "8080"}}}
	c.Config.ExposedPorts = network.PortSet{network.MustParsePort("80"): {}, network.MustParsePort("53/udp"): {}}
	c.HostConfig.PublishAllPorts = true
	c.Mounts = []record.Mount{
		{MountPoint: container.MountPoint{Type: mount.TypeBind, Destination: "/b"}},
		{MountPoint: container.MountPoint{Type: mount.TypeTmpfs, Destination: "/t", RW: true}, Size: 5},
	}
	s, err := New(c, Places{Upper: "/upper", Log: "/log", Cache: "/cache", Sources: map[string]string{"/b": "/host"}, ModuleDigest: "sha256:x", User: users.Identity{UID: 5, GID: 6, Home: "/h"}, Machine: capable})
	if err != nil {
		t.Fatal(err)
	}
	if s.Root.Path != "/tree" || s.Process.Cwd != "/w" || s.Process.User.UID != 5 || s.Process.User.GID != 6 || *s.Linux.Resources.Memory.Limit != 64<<20 {
		t.Errorf("%+v %+v", s.Root, s.Process)
	}
	if m := s.Mounts[0]; m.Type != "bind" || m.Source != "/host" || strings.Join(m.Options, ",") != "rbind,ro" {
		t.Errorf("bind %+v", m)
	}
	if m := s.Mounts[1]; m.Type != "tmpfs" || strings.Join(m.Options, ",") != "nosuid,nodev,rw,size=5" {
		t.Errorf("tmpfs %+v", m)
	}
	for key, want := range map[string]string{
		bundle.Runtime: "io.containerd.wazero.v1", bundle.Engine: "wazero", bundle.Network: "private", bundle.Stdin: "once",
		bundle.Upper: "/upper", bundle.LogPath: "/log", bundle.Cache: "/cache", bundle.ModuleDigest: "sha256:x",
		bundle.LogMaxSize: "1024", bundle.LogMaxFile: "2", bundle.Listen: "preopen", bundle.Name: "web",
		bundle.DNS: `["9.9.9.9"]`, bundle.Search: "",
		bundle.Hosts:          `{"boat":["127.0.0.1"],"db":["10.0.0.1","fe80::1"]}`,
		bundle.PublishedPorts: `[{"proto":"udp","hostIP":"","hostPort":0,"containerPort":53},{"proto":"tcp","hostIP":"","hostPort":8080,"containerPort":80}]`,
	} {
		if got := s.Annotations[key]; got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
}

func TestRefusedAnnotations(t *testing.T) {
	for name, edit := range map[string]func(*record.Container){
		"begin with dev.wherry.":        func(c *record.Container) { c.HostConfig.Annotations = map[string]string{"dev.wherry.upper": "/etc"} },
		"wherry.listen must be preopen": func(c *record.Container) { c.HostConfig.Annotations = map[string]string{"wherry.listen": "socket"} },
		"wherry.lisen is unknown":       func(c *record.Container) { c.HostConfig.Annotations = map[string]string{"wherry.lisen": "preopen"} },
		"host-gateway":                  func(c *record.Container) { c.HostConfig.ExtraHosts = []string{"host.docker.internal:host-gateway"} },
		"want NAME:ADDRESS":             func(c *record.Container) { c.HostConfig.ExtraHosts = []string{"db"} },
	} {
		c := box()
		edit(c)
		if err := Validate(c, capable); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v, want %q", err, name)
		}
	}
}

func TestNetworks(t *testing.T) {
	for mode, want := range map[container.NetworkMode]string{"bridge": "private", "none": "none", "host": "host"} {
		c := box()
		c.HostConfig.NetworkMode = mode
		c.HostConfig.PortBindings = network.PortMap{network.MustParsePort("80"): {{HostPort: "8080"}}}
		s, err := New(c, Places{})
		if err != nil || s.Annotations[bundle.Network] != want || (s.Annotations[bundle.PublishedPorts] != "") != (want == "private") {
			t.Errorf("%s: %v %v", mode, s.Annotations, err)
		}
	}
}

func TestEnv(t *testing.T) {
	c := box()
	c.Config.Tty = true
	c.Config.Env = []string{"PATH=/bin", "X=1", "TERM", "HOME=/me"}
	if got := strings.Join(Env(c, "/else"), " "); got != "PATH=/bin HOSTNAME=boat X=1 HOME=/me" {
		t.Errorf("environment %q", got)
	}
}

func TestResolvConf(t *testing.T) {
	servers, search := parseResolvConf("# x\nnameserver 1.1.1.1\nnameserver bad\nnameserver ::1\ndomain old\nsearch a b\noptions ndots:1\n")
	if strings.Join(servers, " ") != "1.1.1.1 ::1" || strings.Join(search, " ") != "a b" {
		t.Errorf("%v %v", servers, search)
	}
}

func TestPublished(t *testing.T) {
	m := Published([]bundle.Port{{Proto: "tcp", HostPort: 1, ContainerPort: 80}, {Proto: "udp", HostIP: "127.0.0.1", HostPort: 2, ContainerPort: 53}})
	b, err := json.Marshal(m)
	want := `{"53/udp":[{"HostIp":"127.0.0.1","HostPort":"2"}],"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"1"},{"HostIp":"::","HostPort":"1"}]}`
	if err != nil || string(b) != want {
		t.Errorf("%s %v", b, err)
	}
}
