//go:build linux

package wall

import (
	"encoding/binary"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

var update = flag.Bool("update", false, "write the golden files")

// root and user are on a recent kernel, old is on one without its newer calls.
var (
	root = Host{Privileged: true, CanFork: true, MountSetattr: true, Landlock: 7, LastCap: 40, Setgroups: true}
	user = Host{UID: 1000, GID: 100, CanFork: true, MountSetattr: true, Landlock: 3, LastCap: 40, Setgroups: true}
	old  = Host{Privileged: true, CanFork: true, Initramfs: true, LastCap: 37, Setgroups: true}
)

func without(h Host) Host { h.CanFork = false; return h }

// engine is a specification as the embedded engine writes it.
func engine(change ...func(*specs.Spec)) *specs.Spec {
	s := &specs.Spec{
		Hostname: "box",
		Process:  &specs.Process{Capabilities: &specs.LinuxCapabilities{Effective: []string{"CAP_CHOWN", "CAP_NET_BIND_SERVICE", "CAP_SYS_ADMIN"}}},
		Linux: &specs.Linux{Namespaces: []specs.LinuxNamespace{
			{Type: specs.MountNamespace}, {Type: specs.IPCNamespace}, {Type: specs.UTSNamespace}, {Type: specs.PIDNamespace},
		}},
	}
	for _, c := range change {
		c(s)
	}
	return s
}

// room is a jail with one of each kind of bind.
func room() Options {
	return Options{Name: "guest", Jail: Jail{Dir: "/run/b/jail", Binds: []Bind{
		{Source: "/cache/x.code", Target: "/code", File: true, ReadOnly: true, Exec: true},
		{Source: "/images/t", Target: "/image", ReadOnly: true},
		{Source: "/c/upper", Target: "/upper"},
		{Source: "/", Target: "/mounts/0", ReadOnly: true, Recursive: true, Below: []Mounted{{}, {Path: "proc", Flags: unix.MS_NOSUID, Kernel: true}, {Path: "srv", Flags: unix.MS_RDONLY}}},
		{Target: "/mounts/1", Host: "/tmp", Size: 4096, Mode: 0o700},
		{Source: "/dev/null", Target: "/dev/null", Device: true},
	}}}
}

// further is a further process in a container with that jail.
func further() Options {
	o := room()
	o.Jail.Dir = ""
	o.Joined = &Joined{Over: o.Jail.Binds[:1], Namespaces: map[specs.LinuxNamespaceType]string{}}
	for i, t := range []specs.LinuxNamespaceType{specs.MountNamespace, specs.IPCNamespace, specs.UTSNamespace, specs.PIDNamespace, specs.UserNamespace} {
		o.Joined.Namespaces[t] = "/proc/9/fd/" + string(rune('3'+i))
	}
	return o
}

func TestPlans(t *testing.T) {
	lesser, none := room(), room()
	lesser.Lesser = true
	none.NoNetwork = true
	seven := 7
	umask := uint32(0o77)
	pod := engine(func(s *specs.Spec) {
		s.Hostname = ""
		s.Linux.Namespaces = []specs.LinuxNamespace{
			{Type: specs.UserNamespace, Path: "/proc/1/ns/user"}, {Type: specs.MountNamespace},
			{Type: specs.NetworkNamespace, Path: "/run/netns/pod"}, {Type: specs.PIDNamespace, Path: "/proc/1/ns/pid"},
			{Type: specs.UTSNamespace, Path: "/proc/1/ns/uts"}, {Type: specs.IPCNamespace, Path: "/proc/1/ns/ipc"},
		}
		s.Process.User = specs.User{UID: 5, GID: 6, AdditionalGids: []uint32{7, 8}, Umask: &umask}
		s.Process.Capabilities.Ambient = []string{"CAP_NET_BIND_SERVICE"}
		s.Process.OOMScoreAdj = &seven
		s.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 64, Hard: 128}, {Type: "RLIMIT_STACK", Soft: 1, Hard: 1}}
		s.Linux.Sysctl = map[string]string{"net.ipv4.ip_forward": "1", "net/ipv4/conf/eth0.1/forwarding": "0", "kernel.shmmax": "9"}
	})
	mapped := engine(func(s *specs.Spec) {
		s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
		s.Linux.UIDMappings = []specs.LinuxIDMapping{{HostID: 100000, Size: 65536}}
		s.Linux.GIDMappings = s.Linux.UIDMappings
	})
	armored := root
	armored.AppArmor, armored.SELinux = "/proc/self/attr/apparmor/current", true
	for name, c := range map[string]struct {
		spec *specs.Spec
		host Host
		opts Options
	}{
		"root":        {engine(), root, room()},
		"user":        {engine(), user, room()},
		"nonetwork":   {engine(), root, none},
		"pod":         {pod, root, Options{Name: "guest", Loopback: true}},
		"mapped":      {mapped, root, Options{Name: "guest"}},
		"lesser":      {engine(), user, lesser},
		"further":     {mapped, root, further()},
		"furtheruser": {engine(), user, further()},
		"oldkernel":   {engine(), old, room()},
		"nocgo-root":  {engine(), without(root), Options{Name: "guest"}},
		"nocgo-user":  {engine(), without(user), Options{Name: "guest"}},
		"pause":       {engine(), root, Options{Name: "pause", Jail: Jail{Dir: "/run/b/jail"}, Pause: true}},
		"labels": {engine(func(s *specs.Spec) {
			s.Process.ApparmorProfile, s.Process.SelinuxLabel = "docker-default", "system_u:system_r:container_t:s0"
		}), armored, Options{Name: "guest"}},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := New(c.spec, c.host, c.opts)
			if err != nil {
				t.Fatal(err)
			}
			got := p.String()
			path := filepath.Join("testdata", name+".plan")
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("the plan is\n%s\nwant\n%s", got, want)
			}
			for i, s := range p.Steps {
				if s.What == "" {
					t.Errorf("step %d, %s, has no words for its failure", i, s.Name)
				}
			}
			check(t, p)
		})
	}
}

// check decodes an encoded plan as its runner does.
func check(t *testing.T, p *Plan) {
	t.Helper()
	b, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	order := binary.NativeEndian
	steps, blobs := int(order.Uint32(b[4:])), int(order.Uint32(b[8:]))
	if order.Uint32(b) != Magic || steps != len(p.Steps) || len(b) != HeaderSize+steps*StepSize+blobs {
		t.Fatalf("header = %x of %d bytes, %d steps", b[:HeaderSize], len(b), len(p.Steps))
	}
	data := b[HeaderSize+steps*StepSize:]
	for i, s := range p.Steps {
		at := b[HeaderSize+i*StepSize:]
		if got := order.Uint32(at[8:]); got != uint32(s.Number) || order.Uint16(at) != uint16(s.Op) {
			t.Errorf("step %d: call %d, want %d", i, got, s.Number)
		}
		for j, a := range s.Args {
			v := order.Uint64(at[24+8*j:])
			if kind := at[12+j]; (kind == ArgBlob || kind == ArgPoked) != a.isBlob {
				t.Errorf("step %d, argument %d is of kind %d", i, j, kind)
			} else if a.isBlob {
				place := int(v & 0xffffffff)
				if text := data[place : place+len(a.Blob)+1]; string(text) != string(a.Blob)+"\x00" {
					t.Errorf("step %d, argument %d is %q, want %q", i, j, text, a.Blob)
				}
			}
		}
	}
}

func TestRefused(t *testing.T) {
	ns := func(list ...specs.LinuxNamespace) *specs.Spec {
		return engine(func(s *specs.Spec) { s.Linux.Namespaces = append(s.Linux.Namespaces, list...) })
	}
	sysctl := func(key string) *specs.Spec {
		return engine(func(s *specs.Spec) { s.Linux.Sysctl = map[string]string{key: "1"} })
	}
	process := func(change func(*specs.Process)) *specs.Spec {
		return engine(func(s *specs.Spec) { change(s.Process) })
	}
	for name, c := range map[string]struct {
		spec  *specs.Spec
		host  Host
		class func(error) bool
		words string
	}{
		"unknown kind":        {ns(specs.LinuxNamespace{Type: "dream"}), root, errdefs.IsInvalidArgument, `"dream"`},
		"twice":               {ns(specs.LinuxNamespace{Type: specs.PIDNamespace}), root, errdefs.IsInvalidArgument, "pid twice"},
		"relative":            {ns(specs.LinuxNamespace{Type: specs.NetworkNamespace, Path: "x"}), root, errdefs.IsInvalidArgument, "not absolute"},
		"user's by path":      {ns(specs.LinuxNamespace{Type: specs.UserNamespace, Path: "/x"}), user, errdefs.IsNotImplemented, "privileged"},
		"user's without cgo":  {ns(specs.LinuxNamespace{Type: specs.UserNamespace, Path: "/x"}), without(root), errdefs.IsNotImplemented, "CGO_ENABLED=0"},
		"no mappings":         {ns(specs.LinuxNamespace{Type: specs.UserNamespace}), root, errdefs.IsInvalidArgument, "uidMappings"},
		"the host's sysctl":   {sysctl("vm.swappiness"), root, errdefs.IsInvalidArgument, "vm.swappiness"},
		"the host's network":  {sysctl("net.core.somaxconn"), root, errdefs.IsInvalidArgument, "network namespace"},
		"a climbing sysctl":   {sysctl("net.//.//.kernel.core_pattern"), root, errdefs.IsInvalidArgument, "no name"},
		"a name for the host": {engine(func(s *specs.Spec) { s.Linux.Namespaces = nil }), root, errdefs.IsInvalidArgument, "uts"},
		"limit":               {process(func(p *specs.Process) { p.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_LUCK"}} }), root, errdefs.IsInvalidArgument, "RLIMIT_LUCK"},
		"AppArmor":            {process(func(p *specs.Process) { p.ApparmorProfile = "x" }), root, errdefs.IsFailedPrecondition, "AppArmor"},
		"SELinux":             {process(func(p *specs.Process) { p.SelinuxLabel = "x" }), root, errdefs.IsFailedPrecondition, "SELinux"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(c.spec, c.host, Options{})
			if err == nil || !c.class(err) || !strings.Contains(err.Error(), c.words) {
				t.Errorf("got %v, want it to say %q", err, c.words)
			}
		})
	}
}

func TestFailure(t *testing.T) {
	p, err := New(engine(), root, room())
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range p.Steps {
		if s.Name == "mount_setattr" && strings.Contains(s.What, "/images/t") {
			got := p.Failure(i, unix.EPERM)
			if got.Error() != "cannot mount /images/t read-only: operation not permitted" || !errdefs.IsPermissionDenied(got) || !errors.Is(got, unix.EPERM) {
				t.Errorf("got %v", got)
			}
		}
	}
	if err := p.Failure(len(p.Steps), unix.EIO); err == nil || !errors.Is(err, unix.EIO) {
		t.Errorf("a step that is not there: %v", err)
	}
}

func TestBounds(t *testing.T) {
	opts := room()
	for range MaxSteps {
		opts.Jail.Binds = append(opts.Jail.Binds, Bind{Source: "/a", Target: "/a"})
	}
	p, err := New(engine(), root, opts)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Encode(); !errdefs.IsInvalidArgument(err) {
		t.Errorf("too many steps: %v", err)
	}
	opts = room()
	for i := range 600 {
		opts.Jail.Binds = append(opts.Jail.Binds, Bind{Source: "/" + strings.Repeat(string(rune('a'+i%26)), 4000+i), Target: "/a"})
	}
	if p, err = New(engine(), root, opts); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Encode(); !errdefs.IsInvalidArgument(err) {
		t.Errorf("too long paths: %v", err)
	}
}
