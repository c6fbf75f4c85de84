//go:build linux

package socket

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// elsewhere is a locator to which all addresses but the unspecified ones lie
// outside, those of the host too.
type elsewhere struct{}

func (elsewhere) locate(a netip.Addr) (place, error) {
	if a.IsUnspecified() {
		return inside, nil
	}
	return outside, nil
}

func (elsewhere) close() error { return nil }

func newNetwork(t testing.TB, c Config) *Network {
	t.Helper()
	n, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Errorf("closing the network: %v", err)
		}
	})
	return n
}

// outwards makes a private network to which the host's loopback is outside, as
// other machines are: tests have no other machine.
func outwards(t testing.TB, c Config) *Network {
	t.Helper()
	c.Mode = ModePrivate
	n := newNetwork(t, c)
	if err := n.routes.close(); err != nil {
		t.Fatal(err)
	}
	n.routes = elsewhere{}
	return n
}

func open(t testing.TB, n *Network, f Family, typ Type) *Socket {
	t.Helper()
	s, err := n.Open(f, typ)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func addr(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// bound opens a socket and binds it.
func bound(t testing.TB, n *Network, typ Type, at string) *Socket {
	t.Helper()
	f := IPv4
	if addr(at).Addr().Is6() {
		f = IPv6
	}
	s := open(t, n, f, typ)
	check(t, s.Bind(addr(at)), nil)
	return s
}

func listenAt(t testing.TB, n *Network, at string) *Socket {
	t.Helper()
	s := bound(t, n, Stream, at)
	check(t, s.Listen(16), nil)
	return s
}

func check(t testing.TB, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Fatalf("got error %v, want %v", got, want)
	}
}

func vec(b []byte) []unix.Iovec {
	if len(b) == 0 {
		return nil
	}
	v := unix.Iovec{Base: &b[0]}
	v.SetLen(len(b))
	return []unix.Iovec{v}
}

func send(t testing.TB, s *Socket, text string, to netip.AddrPort) {
	t.Helper()
	n, err := s.Send(vec([]byte(text)), to)
	if err != nil || n != len(text) {
		t.Fatalf("sent %d of %d bytes: %v", n, len(text), err)
	}
}

func receive(t testing.TB, s *Socket, want string) Received {
	t.Helper()
	b := make([]byte, 1024)
	got, err := s.Receive(vec(b), false, false)
	if err != nil {
		t.Fatal(err)
	}
	if string(b[:got.N]) != want {
		t.Fatalf("received %q, want %q", b[:got.N], want)
	}
	return got
}

// inheritedTCP is a listener such as a container's parent binds.
func inheritedTCP(t testing.TB, address string) (fd int, at netip.AddrPort) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return dupOf(t, l.(*net.TCPListener)), l.Addr().(*net.TCPAddr).AddrPort()
}

// inheritedUDP is the same for UDP.
func inheritedUDP(t testing.TB, address string) (fd int, at netip.AddrPort) {
	t.Helper()
	c, err := net.ListenPacket("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return dupOf(t, c.(*net.UDPConn)), c.LocalAddr().(*net.UDPAddr).AddrPort()
}

func dupOf(t testing.TB, c syscall.Conn) int {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	fd := -1
	if err := raw.Control(func(p uintptr) { fd, err = unix.FcntlInt(p, unix.F_DUPFD_CLOEXEC, 3) }); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return fd
}
