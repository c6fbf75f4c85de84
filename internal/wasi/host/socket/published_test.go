//go:build linux

package socket

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// dialTo connects from the host.
func dialTo(t *testing.T, network string, at netip.AddrPort) net.Conn {
	t.Helper()
	c, err := net.Dial(network, at.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestPublishedListener(t *testing.T) {
	fd, at := inheritedTCP(t, ":0") // dual-stack where the host has IPv6
	before, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil {
		t.Fatal(err)
	}
	n := newNetwork(t, Config{Mode: ModePrivate, Published: []Listener{{Proto: TCP, Port: 80, FD: fd}}})
	host := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), at.Port())
	for range 2 { // what the first listener did must not break the second
		l := listenAt(t, n, "0.0.0.0:80")
		l.NonBlock = true
		_, err = l.Accept()
		check(t, err, unix.EAGAIN)
		l.NonBlock = false

		c := dialTo(t, "tcp", host)
		s, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if peer, err := s.PeerAddr(); err != nil || peer != c.LocalAddr().(*net.TCPAddr).AddrPort() {
			t.Errorf("peer %v (%v), want %v", peer, err, c.LocalAddr())
		}
		if local, err := s.LocalAddr(); err != nil || local != addr("127.0.0.1:80") {
			t.Errorf("local address %v (%v), want the guest's port 80", local, err)
		}
		if _, err := c.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		receive(t, s, "hello")

		inner := open(t, n, IPv4, Stream)
		check(t, inner.Connect(addr("127.0.0.1:80")), nil)
		own, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		check(t, own.Close(), nil)
		check(t, s.Close(), nil)

		check(t, l.Shutdown(ReadEnd|WriteEnd), nil)
		_, err = l.Accept()
		check(t, err, unix.EINVAL)
		check(t, l.Close(), nil)
	}
	if after, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); err != nil || after != before {
		t.Errorf("flags of the inherited descriptor went from %#x to %#x (%v)", before, after, err)
	}
}

func TestPreopened(t *testing.T) {
	fd, at := inheritedTCP(t, "127.0.0.1:0")
	udp, _ := inheritedUDP(t, "127.0.0.1:0")
	n := newNetwork(t, Config{Mode: ModePrivate, Preopen: true, Published: []Listener{{UDP, 53, udp}, {TCP, 80, fd}}})
	list, err := n.Preopened()
	if err != nil || len(list) != 1 {
		t.Fatalf("%d listeners, %v", len(list), err)
	}
	defer list[0].Close()
	c := dialTo(t, "tcp", at)
	s, err := list[0].Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	send(t, s, "hi", netip.AddrPort{})
	b := make([]byte, 8)
	if k, err := c.Read(b); err != nil || string(b[:k]) != "hi" {
		t.Errorf("read %q, %v", b[:k], err)
	}
	check(t, open(t, n, IPv4, Stream).Bind(addr("0.0.0.0:80")), unix.EADDRINUSE)
}

func TestPublishedDatagrams(t *testing.T) {
	fd, at := inheritedUDP(t, "127.0.0.1:0")
	n := outwards(t, Config{Published: []Listener{{Proto: UDP, Port: 53, FD: fd}}})
	s := bound(t, n, Datagram, "0.0.0.0:53")
	c := dialTo(t, "udp", at)
	if _, err := c.Write([]byte("ask")); err != nil {
		t.Fatal(err)
	}
	got := receive(t, s, "ask")
	send(t, s, "tell", got.From)
	b := make([]byte, 8)
	if k, err := c.Read(b); err != nil || string(b[:k]) != "tell" {
		t.Errorf("read %q, %v", b[:k], err)
	}
	if local, err := s.LocalAddr(); err != nil || local != addr("0.0.0.0:53") {
		t.Errorf("local address %v, %v", local, err)
	}
}

// A client on the host itself gets its answer from a published port, although
// the host's other sockets are out of the guest's reach.
func TestPublishedDatagramsOfTheHost(t *testing.T) {
	for _, host := range []string{"127.0.0.1:0", ":0"} { // the second is dual-stack where the host has IPv6
		fd, at := inheritedUDP(t, host)
		n := newNetwork(t, Config{Mode: ModePrivate, Published: []Listener{{Proto: UDP, Port: 53, FD: fd}}})
		s := bound(t, n, Datagram, "0.0.0.0:53")
		at = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), at.Port())
		c, silent := dialTo(t, "udp", at), dialTo(t, "udp", at)
		if _, err := c.Write([]byte("ask")); err != nil {
			t.Fatal(err)
		}
		got := receive(t, s, "ask")
		send(t, s, "unasked", unmap(silent.LocalAddr().(*net.UDPAddr).AddrPort()))
		send(t, s, "tell", got.From)
		b := make([]byte, 8)
		if k, err := c.Read(b); err != nil || string(b[:k]) != "tell" {
			t.Errorf("%s: read %q, %v", host, b[:k], err)
		}
		// What was sent before has arrived by now, if at all.
		if got := waiting(t, silent.(*net.UDPConn)); got != 0 {
			t.Errorf("%s: a socket that asked nothing got %d bytes", host, got)
		}
	}
}

// waiting is the size of the datagram that waits in a socket, 0 for none.
func waiting(t *testing.T, c *net.UDPConn) (n int) {
	t.Helper()
	fd := dupOf(t, c)
	defer unix.Close(fd)
	n, err := unix.IoctlGetInt(fd, unix.TIOCINQ)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestBadListener(t *testing.T) {
	fd, _ := inheritedUDP(t, "127.0.0.1:0")
	defer unix.Close(fd)
	for _, l := range []Listener{{Proto: TCP, Port: 1, FD: fd}, {Proto: "sctp", Port: 1, FD: fd}, {Proto: TCP, Port: 1, FD: -1}} {
		if _, err := New(Config{Mode: ModePrivate, Published: []Listener{l}}); err == nil {
			t.Errorf("%+v was accepted", l)
		}
	}
}
