//go:build linux

package socket

import (
	"fmt"
	"net"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

func TestLoopbackInside(t *testing.T) {
	for _, c := range []struct{ listen, connect, server, client string }{
		{"0.0.0.0:80", "127.0.0.1:80", "127.0.0.1:80", "127.0.0.1"},
		{"127.0.0.1:80", "0.0.0.0:80", "127.0.0.1:80", "127.0.0.1"},
		{"[::]:80", "[::1]:80", "[::1]:80", "::1"},
		{"[::]:80", "127.0.0.1:80", "127.0.0.1:80", "127.0.0.1"},
		{"0.0.0.0:80", "[::ffff:127.0.0.1]:80", "127.0.0.1:80", "127.0.0.1"},
	} {
		t.Run(c.listen+" "+c.connect, func(t *testing.T) {
			n := newNetwork(t, Config{Mode: ModePrivate})
			l := listenAt(t, n, c.listen)
			f := IPv4
			if addr(c.connect).Addr().Is6() {
				f = IPv6
			}
			client := open(t, n, f, Stream)
			check(t, client.Connect(addr(c.connect)), nil)
			if !l.Pending() {
				t.Error("the listener does not show the connection")
			}
			server, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer server.Close()
			local, err := server.LocalAddr()
			if err != nil || local != addr(c.server) {
				t.Errorf("server's local address %v (%v), want %v", local, err, c.server)
			}
			peer, err := server.PeerAddr()
			if err != nil || peer.Addr().String() != c.client || peer.Port() < ephemeralFirst {
				t.Errorf("server's peer %v (%v), want %s and an ephemeral port", peer, err, c.client)
			}
			if mine, err := client.LocalAddr(); err != nil || unmap(mine) != unmap(peer) {
				t.Errorf("client's local address %v (%v), server sees %v", mine, err, peer)
			}
			send(t, client, "ping", netip.AddrPort{})
			receive(t, server, "ping")
			send(t, server, "pong", netip.AddrPort{})
			receive(t, client, "pong")
			check(t, client.Shutdown(WriteEnd), nil)
			receive(t, server, "")
		})
	}
}

// TestHostOutOfReach has a service on the host and a guest that tries every
// name of the host for it.
func TestHostOutOfReach(t *testing.T) {
	service, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer service.Close()
	port := service.Addr().(*net.TCPAddr).AddrPort().Port()
	targets := []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.8.8.8"), netip.IPv4Unspecified(),
		netip.IPv6Loopback(), netip.IPv6Unspecified(), netip.MustParseAddr("::ffff:127.0.0.1"), netip.MustParseAddr("::ffff:0.0.0.0")}
	interfaces, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range interfaces {
		if p, err := netip.ParsePrefix(i.String()); err == nil {
			targets = append(targets, p.Addr(), netip.AddrFrom16(p.Addr().As16()))
		}
	}
	n := newNetwork(t, Config{Mode: ModePrivate})
	for _, to := range targets {
		f := IPv4
		if to.Is6() {
			f = IPv6
		}
		t.Run(to.String(), func(t *testing.T) {
			s := open(t, n, f, Stream)
			check(t, s.Connect(netip.AddrPortFrom(to, port)), unix.ECONNREFUSED)
		})
	}
	refused := []struct {
		to   string
		want error
	}{{"255.255.255.255:9", unix.EACCES}, {"224.0.0.1:9", unix.ENETUNREACH}}
	for _, c := range refused {
		s := open(t, n, IPv4, Datagram)
		if _, err := s.Send(vec([]byte("x")), addr(c.to)); err != c.want {
			// Without any route the kernel has the last word.
			if err != unix.ENETUNREACH {
				t.Errorf("datagram to %s: %v, want %v", c.to, err, c.want)
			}
		}
	}
}

func TestUnpublishedIsNotOnTheHost(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := free.Addr().(*net.TCPAddr).AddrPort()
	free.Close()
	n := newNetwork(t, Config{Mode: ModePrivate})
	l := listenAt(t, n, fmt.Sprintf("0.0.0.0:%d", at.Port()))
	if c, err := net.Dial("tcp", at.String()); err == nil {
		c.Close()
		t.Fatal("the host reached a port that was not published")
	}
	if l.PollFD() != -1 {
		t.Error("a listener that only the guest reaches has a descriptor to poll")
	}
}

func TestVirtualPorts(t *testing.T) {
	n := newNetwork(t, Config{Mode: ModePrivate})
	listenAt(t, n, "0.0.0.0:80")
	for _, c := range []struct {
		at   string
		want error
	}{
		{"0.0.0.0:80", unix.EADDRINUSE},
		{"127.0.0.1:80", unix.EADDRINUSE},
		{"[::]:80", unix.EADDRINUSE},
		{"[::1]:80", nil},
		{"0.0.0.0:81", nil},
		{"192.0.2.1:82", unix.EADDRNOTAVAIL},
	} {
		f := IPv4
		if addr(c.at).Addr().Is6() {
			f = IPv6
		}
		if err := open(t, n, f, Stream).Bind(addr(c.at)); err != c.want {
			t.Errorf("bind %s: %v, want %v", c.at, err, c.want)
		}
	}
	udp := bound(t, n, Datagram, "0.0.0.0:80") // another protocol, another port
	udp.Close()
	any := bound(t, n, Stream, "127.0.0.1:0")
	if a, err := any.LocalAddr(); err != nil || a.Port() < ephemeralFirst {
		t.Errorf("port 0 became %v (%v)", a, err)
	}
	check(t, any.Bind(addr("127.0.0.1:0")), unix.EINVAL)
	check(t, open(t, n, IPv4, Stream).Bind(addr("[::1]:1")), unix.EAFNOSUPPORT)

	l := listenAt(t, n, "127.0.0.1:90")
	check(t, l.Close(), nil)
	listenAt(t, n, "127.0.0.1:90") // closing gives the port back
}

func TestDatagramsInside(t *testing.T) {
	n := newNetwork(t, Config{Mode: ModePrivate})
	server := bound(t, n, Datagram, "0.0.0.0:53")
	client := open(t, n, IPv4, Datagram)
	send(t, client, "question", addr("127.0.0.1:53"))
	if !server.Pending() || server.Available() != 8 {
		t.Errorf("pending %v, available %d", server.Pending(), server.Available())
	}
	b := make([]byte, 4)
	got, err := server.Receive(vec(b), true, false)
	if err != nil || !got.Truncated || got.N != 4 || string(b) != "ques" {
		t.Errorf("peeked %+v %q, %v", got, b, err)
	}
	got = receive(t, server, "question")
	if got.From.Addr() != netip.MustParseAddr("127.0.0.1") {
		t.Errorf("from %v", got.From)
	}
	send(t, server, "answer", got.From)
	if from := receive(t, client, "answer").From; from != addr("127.0.0.1:53") {
		t.Errorf("answer from %v", from)
	}

	third := open(t, n, IPv4, Datagram)
	check(t, third.Connect(addr("127.0.0.1:9")), nil)
	send(t, third, "lost", netip.AddrPort{})
	_, err = third.Send(vec([]byte("x")), netip.AddrPort{})
	check(t, err, unix.ECONNREFUSED) // nobody is bound there

	third.NonBlock = true
	_, err = third.Receive(vec(b), false, false)
	check(t, err, unix.EAGAIN)
	_, err = client.Send(vec([]byte("x")), netip.AddrPort{})
	check(t, err, unix.EDESTADDRREQ)
}

func TestNone(t *testing.T) {
	n := newNetwork(t, Config{})
	_, err := n.Open(IPv4, Stream)
	check(t, err, unix.EACCES)
	_, _, err = n.Lookup("localhost", 0, false)
	check(t, err, unix.EACCES)
	if _, err := New(Config{Mode: "bridge"}); err == nil {
		t.Error("an unknown mode was accepted")
	}
}
