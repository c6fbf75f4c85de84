package shim

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"wherry/internal/wasi/host/socket"
)

// Docker and the kubelet mount a container's names; a guest that may write them
// is not believed where its network has a list.
func TestMountedNames(t *testing.T) {
	dir := t.TempDir()
	hosts, conf := filepath.Join(dir, "hosts"), filepath.Join(dir, "resolv.conf")
	for file, text := range map[string]string{hosts: "10.0.0.7 db\n", conf: "nameserver 192.0.2.53\nsearch corp.test\noptions ndots:5\n"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	list := &[]string{"db:5432"}
	for _, c := range []struct {
		what    string
		options []string
		net     socket.Config
		want    string
	}{
		{"mounted", nil, socket.Config{}, "map[db:[10.0.0.7]] [192.0.2.53:53] [corp.test] 5"},
		{"read-only, with a list", []string{"rbind", "ro"}, socket.Config{Connect: list}, "map[db:[10.0.0.7]] [192.0.2.53:53] [corp.test] 5"},
		{"annotated", nil, socket.Config{DNS: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:53")}, Hosts: map[string][]netip.Addr{"x": nil}}, "map[x:[]] [192.0.2.1:53] [] 0"},
	} {
		s := &spec{Spec: specs.Spec{Mounts: []specs.Mount{
			{Destination: "/etc/hosts", Source: "/nowhere"},
			{Destination: "/etc/hosts", Source: hosts, Options: c.options},
			{Destination: "/etc//resolv.conf", Source: conf, Options: c.options},
		}}}
		c.net.Mode = socket.ModePrivate
		s.names(&c.net)
		if got := fmt.Sprint(c.net.Hosts, c.net.DNS, c.net.Search, c.net.Dots); got != c.want {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
		writable := socket.Config{Mode: socket.ModePrivate, Connect: list}
		s.Mounts[1].Options, s.Mounts[2].Options = []string{"rw"}, nil
		s.names(&writable)
		if len(writable.Hosts) != 0 || len(writable.DNS) > 0 && writable.DNS[0] == netip.MustParseAddrPort("192.0.2.53:53") {
			t.Errorf("%s: a guest's own files were believed: %v %v", c.what, writable.Hosts, writable.DNS)
		}
	}
	// A network namespace of its own has nothing on the host's loopback.
	s := &spec{Spec: specs.Spec{Linux: &specs.Linux{Namespaces: []specs.LinuxNamespace{{Type: specs.NetworkNamespace}}}}}
	net := socket.Config{Mode: socket.ModeHost}
	s.names(&net)
	for _, server := range net.DNS {
		if server.Addr().IsLoopback() {
			t.Errorf("name server %s", server)
		}
	}
}
