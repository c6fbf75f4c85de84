//go:build linux

package socket

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// machine is a locator of a machine with these addresses of its own. It has no
// route to 192.0.2.0/24, and 198.51.100.255 is a broadcast.
type machine []string

func (m machine) locate(a netip.Addr) (place, error) {
	a = a.Unmap().WithZone("")
	switch {
	case a.IsLoopback(), a.IsUnspecified(), slices.Contains(m, a.String()):
		return inside, nil
	case a.IsMulticast(), netip.MustParsePrefix("192.0.2.0/24").Contains(a):
		return outside, unix.ENETUNREACH
	case a == netip.MustParseAddr("198.51.100.255"):
		return outside, unix.EACCES
	}
	return outside, nil
}

func (machine) close() error { return nil }

// onMachine makes a network on a machine with the addresses 10.0.0.5,
// 169.254.1.1 and fd00::5.
func onMachine(t testing.TB, c Config) *Network {
	t.Helper()
	n := newNetwork(t, c)
	if n.routes == nil {
		return n
	}
	if err := n.routes.close(); err != nil {
		t.Fatal(err)
	}
	n.routes = machine{"10.0.0.5", "169.254.1.1", "fd00::5"}
	return n
}

func TestReach(t *testing.T) {
	hosts := map[string][]netip.Addr{"db": {netip.MustParseAddr("10.9.9.9")}, "near": {netip.MustParseAddr("10.0.0.5")}}
	const nowhere, denied, unreachable = "inside", "denied", "unreachable"
	for _, c := range []struct{ mode, list, to, want string }{
		// Without a list the outside is reached, and nothing that is special.
		{ModePrivate, "", "8.8.8.8:53", ""},
		{ModePrivate, "", "10.0.0.6:80", ""},
		{ModePrivate, "", "[2001:db8::1]:80", ""},
		{ModePrivate, "", "[::ffff:8.8.8.8]:53", ""},
		{ModePrivate, "", "[64:ff9b::8.8.8.8]:53", ""},
		{ModePrivate, "", "127.0.0.1:80", nowhere},
		{ModePrivate, "", "0.0.0.0:80", nowhere},
		{ModePrivate, "", "[::]:80", nowhere},
		{ModePrivate, "", "[::ffff:10.0.0.5]:80", nowhere},
		{ModePrivate, "", "10.0.0.5:80", nowhere},
		{ModePrivate, "", "[fd00::5]:80", nowhere},
		{ModePrivate, "", "169.254.1.1:80", nowhere},
		{ModePrivate, "", "169.254.169.254:80", denied},
		{ModePrivate, "", "[::ffff:169.254.169.254]:80", denied},
		{ModePrivate, "", "100.100.100.200:80", denied},
		{ModePrivate, "", "168.63.129.16:80", denied},
		{ModePrivate, "", "[fd00:ec2::254]:80", denied},
		{ModePrivate, "", "[fe80::1]:80", denied},
		{ModePrivate, "", "198.51.100.255:80", denied},
		{ModePrivate, "", "224.0.0.1:80", unreachable},
		{ModePrivate, "", "[ff02::1]:80", unreachable},
		{ModePrivate, "", "192.0.2.1:80", unreachable},
		{ModePrivate, "", "0.0.0.1:80", unreachable},
		{ModePrivate, "", "[::127.0.0.1]:80", unreachable},
		{ModePrivate, "", "[::ffff:0:127.0.0.1]:80", unreachable},
		{ModePrivate, "", "[64:ff9b::127.0.0.1]:80", denied},
		{ModePrivate, "", "[64:ff9b::10.0.0.5]:80", denied},
		{ModePrivate, "", "[64:ff9b::169.254.169.254]:80", denied},
		{ModePrivate, "", "[2002:7f00:1::1]:80", denied},
		{ModePrivate, "", "[2002:a00:5::1]:80", denied},
		{ModePrivate, "", "[2001:0:7f00:1::1]:80", denied},
		{ModePrivate, "", "[2001:0:808:808::80ff:fffe]:80", denied},
		{ModePrivate, "", "[2001:db8::5efe:10.0.0.5]:80", denied},

		// With a list only that, and the guest itself.
		{ModePrivate, "8.8.8.8:53", "8.8.8.8:53", ""},
		{ModePrivate, "8.8.8.8:53", "[::ffff:8.8.8.8]:53", ""},
		{ModePrivate, "8.8.8.8:53", "8.8.8.8:54", denied},
		{ModePrivate, "8.8.8.8:53", "8.8.4.4:53", denied},
		{ModePrivate, "8.8.8.8:53", "[64:ff9b::8.8.8.8]:53", denied},
		{ModePrivate, "8.8.8.8:53", "127.0.0.1:53", nowhere},
		{ModePrivate, "127.0.0.1:53", "127.0.0.1:53", nowhere},
		{ModePrivate, "10.0.0.5:53", "10.0.0.5:53", nowhere},
		{ModePrivate, "10.0.0.0/8:*", "10.0.0.6:1", ""},
		{ModePrivate, "10.0.0.0/8:*", "10.0.0.5:1", nowhere},
		{ModePrivate, "*:443", "1.1.1.1:443", ""},
		{ModePrivate, "*:443", "1.1.1.1:80", denied},
		{ModePrivate, "*:*", "169.254.169.254:80", denied},
		{ModePrivate, "169.254.169.254:80", "169.254.169.254:80", ""},
		{ModePrivate, "*:*", "[64:ff9b::10.0.0.5]:80", denied},
		{ModePrivate, "[2002::/16]:*", "[2002:7f00:1::1]:80", denied},
		{ModePrivate, "[2002:7f00:1::1]:*", "[2002:7f00:1::1]:80", ""},
		{ModePrivate, "*:*", "224.0.0.1:80", unreachable},
		{ModePrivate, "db:5432", "10.9.9.9:5432", ""},
		{ModePrivate, "db:5432", "10.9.9.9:80", denied},
		{ModePrivate, "db:5432", "10.9.9.8:5432", denied},
		{ModePrivate, "other:5432", "10.9.9.9:5432", denied},
		{ModePrivate, "near:80", "10.0.0.5:80", nowhere},
		{ModePrivate, "none", "8.8.8.8:53", denied},
		{ModePrivate, "none", "127.0.0.1:53", nowhere},

		// Host mode has everything without a list; with one, what is its own
		// must be named.
		{ModeHost, "", "127.0.0.1:80", ""},
		{ModeHost, "", "169.254.169.254:80", ""},
		{ModeHost, "", "224.0.0.1:80", ""},
		{ModeHost, "8.8.8.8:53", "8.8.8.8:53", ""},
		{ModeHost, "8.8.8.8:53", "127.0.0.1:53", denied},
		{ModeHost, "8.8.8.8:53", "0.0.0.0:53", denied},
		{ModeHost, "*:*", "127.0.0.1:80", denied},
		{ModeHost, "*:*", "0.0.0.0:80", denied},
		{ModeHost, "*:*", "[::]:80", denied},
		{ModeHost, "*:*", "[::ffff:127.0.0.1]:80", denied},
		{ModeHost, "*:*", "10.0.0.5:80", denied},
		{ModeHost, "10.0.0.0/8:*", "10.0.0.5:80", denied},
		{ModeHost, "10.0.0.5:80", "10.0.0.5:80", ""},
		{ModeHost, "*:*", "[64:ff9b::127.0.0.1]:80", denied},
		{ModeHost, "*:*", "[::127.0.0.1]:80", unreachable},
		{ModeHost, "127.0.0.1:80", "127.0.0.1:80", ""},
		{ModeHost, "127.0.0.1:80", "0.0.0.0:80", ""}, // becomes loopback
		{ModeHost, "127.0.0.1:80", "[::]:80", denied},
		{ModeHost, "127.0.0.1:80", "127.0.0.2:80", denied},
		{ModeHost, "127.0.0.0/8:80", "127.0.0.2:80", ""},
		{ModeHost, "localhost:80", "127.0.0.1:80", ""},
		{ModeHost, "localhost:80", "[::1]:80", ""},
		{ModeHost, "localhost:80", "127.0.0.1:81", denied},
		{ModeHost, "near:80", "10.0.0.5:80", ""},
		{ModeHost, "*:*", "224.0.0.1:80", denied},
		{ModeHost, "224.0.0.0/4:80", "224.0.0.1:80", ""},
		{ModeHost, "*:*", "198.51.100.255:80", denied},
		{ModeHost, "none", "8.8.8.8:53", denied},
	} {
		config := Config{Mode: c.mode, Hosts: hosts}
		if c.list != "" {
			list := []string{}
			if c.list != "none" {
				list = strings.Fields(c.list)
			}
			config.Connect = &list
		}
		n := onMachine(t, config)
		got := ""
		switch v := n.reach(addr(c.to)); {
		case v.err == unix.EACCES:
			got = denied
		case v.err == unix.ENETUNREACH:
			got = unreachable
		case v.err != nil:
			got = v.err.Error()
		case v.where == inside:
			got = nowhere
		case n.routes != nil && v.to.Addr().IsUnspecified():
			got = "the unspecified address"
		}
		if got != c.want {
			t.Errorf("%s, %q, to %s: %q, want %q", c.mode, c.list, c.to, got, c.want)
		}
	}
}

func TestBadList(t *testing.T) {
	if _, err := New(Config{Mode: ModePrivate, Connect: &[]string{"nonsense"}}); err == nil || !strings.Contains(err.Error(), "HOST:PORT") {
		t.Errorf("got %v", err)
	}
}

func TestKernel(t *testing.T) {
	for _, c := range []struct {
		config Config
		want   string
	}{
		{Config{}, KernelNone}, {Config{Mode: ModeNone}, KernelNone},
		{Config{Mode: ModePrivate}, KernelFull}, {Config{Mode: ModeHost}, KernelFull},
		{Config{Mode: ModePrivate, Connect: &[]string{}}, KernelListen},
		{Config{Mode: ModeHost, Connect: &[]string{"a:1"}}, KernelFull},
	} {
		if got := c.config.Kernel(); got != c.want {
			t.Errorf("%+v: %q, want %q", c.config, got, c.want)
		}
	}
}
