//go:build linux

package socket

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestSocketsAreBounded(t *testing.T) {
	n := newNetwork(t, Config{Mode: ModePrivate})
	l := listenAt(t, n, "127.0.0.1:80")
	c := open(t, n, IPv4, Stream)
	check(t, c.Connect(addr("127.0.0.1:80")), nil)
	before := n.sockets
	n.sockets = maxSockets
	_, err := n.Open(IPv4, Stream)
	check(t, err, unix.EMFILE)
	_, err = l.Accept()
	check(t, err, unix.EMFILE)
	n.sockets = before
	s, err := l.Accept()
	check(t, err, nil)
	for range 2 { // closing twice counts once
		s.Close()
		c.Close()
		l.Close()
	}
	if n.sockets != 0 || n.waiting != 0 {
		t.Errorf("%d sockets, %d waiting", n.sockets, n.waiting)
	}
}

func TestWaitingCallsAreBounded(t *testing.T) {
	n := newNetwork(t, Config{Mode: ModePrivate})
	l := listenAt(t, n, "127.0.0.1:80")
	for i := range maxCalls + 10 {
		want := error(nil)
		if i >= maxCalls {
			want = unix.ECONNREFUSED
		}
		check(t, open(t, n, IPv4, Stream).Connect(addr("127.0.0.1:80")), want)
	}
	if n.waiting != maxCalls {
		t.Errorf("%d wait", n.waiting)
	}
	l.Close()
	if n.waiting != 0 {
		t.Errorf("%d wait for nobody", n.waiting)
	}
	listenAt(t, n, "127.0.0.1:80")
	n.waiting = maxWaiting
	check(t, open(t, n, IPv4, Stream).Connect(addr("127.0.0.1:80")), unix.ECONNREFUSED)
	n.waiting = 0
	check(t, open(t, n, IPv4, Stream).Connect(addr("127.0.0.1:80")), nil)
}

func TestQueuedDatagramsAreBounded(t *testing.T) {
	n := newNetwork(t, Config{Mode: ModePrivate})
	client := open(t, n, IPv4, Datagram)
	for _, size := range []int{1, 1500, maxGramSize} {
		s := bound(t, n, Datagram, "127.0.0.1:53")
		payload := bytes.Repeat([]byte("x"), size)
		for range 2 * maxGrams {
			if sent, err := client.Send(vec(payload), addr("127.0.0.1:53")); err != nil || sent != size {
				t.Fatal(sent, err) // lost ones count as sent
			}
		}
		got := len(s.inbox.grams)
		if got == 0 || got > maxGrams || s.inbox.bytes > maxQueuedEach || n.queued != s.inbox.bytes {
			t.Errorf("of %d bytes %d wait, %d bytes, %d of all", size, got, s.inbox.bytes, n.queued)
		}
		receive(t, s, string(payload[:min(size, 1024)]))
		s.Close()
		if n.queued != 0 {
			t.Errorf("%d bytes wait for nobody", n.queued)
		}
	}
	if len(n.spare) > maxSpare {
		t.Errorf("%d spare buffers", len(n.spare))
	}
	s := bound(t, n, Datagram, "127.0.0.1:53")
	n.queued = maxQueued
	send(t, client, "lost", addr("127.0.0.1:53"))
	if len(s.inbox.grams) != 0 {
		t.Error("a datagram was queued beyond the bound of all")
	}
	n.queued = 0
}

func TestPeersAreBounded(t *testing.T) {
	n := newNetwork(t, Config{Mode: ModePrivate})
	s := open(t, n, IPv4, Datagram)
	for i := range 2 * maxAsked {
		check(t, s.remember(netip.AddrPortFrom(netip.MustParseAddr("203.0.113.1"), uint16(i+1))), nil)
	}
	if len(s.asked) != maxAsked || n.asked != maxAsked {
		t.Errorf("%d peers, %d of all", len(s.asked), n.asked)
	}
	s.Close()
	if n.asked != 0 {
		t.Errorf("%d peers of nobody", n.asked)
	}
	n.asked = maxAskedAll
	check(t, open(t, n, IPv4, Datagram).remember(addr("203.0.113.1:1")), unix.ENOBUFS)
	n.asked = 0
	for i := range 2 * maxVerdicts {
		n.judge(netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(i)))
	}
	if len(n.verdicts) > maxVerdicts {
		t.Errorf("%d verdicts", len(n.verdicts))
	}
}

// TestAnswersEnd has a client on the host itself that a published port may
// answer, and later not.
func TestAnswersEnd(t *testing.T) {
	for name, connect := range map[string]*[]string{"all": nil, "published only": {}} {
		t.Run(name, func(t *testing.T) {
			fd, at := inheritedUDP(t, "127.0.0.1:0")
			n := newNetwork(t, Config{Mode: ModePrivate, Connect: connect, Published: []Listener{{Proto: UDP, Port: 53, FD: fd}}})
			s := bound(t, n, Datagram, "0.0.0.0:53")
			client, err := net.ListenPacket("udp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			if _, err := client.WriteTo([]byte("question"), net.UDPAddrFromAddrPort(at)); err != nil {
				t.Fatal(err)
			}
			from := receive(t, s, "question").From
			send(t, s, "answer", from)
			b := make([]byte, 16)
			if k, _, err := client.ReadFrom(b); err != nil || string(b[:k]) != "answer" {
				t.Fatalf("%q, %v", b[:k], err)
			}
			check(t, s.Connect(from), nil)
			send(t, s, "more", netip.AddrPort{})
			if k, _, err := client.ReadFrom(b); err != nil || string(b[:k]) != "more" {
				t.Fatalf("%q, %v", b[:k], err)
			}
			// Nobody else on the host is sent anything, nor the same one for ever.
			other, err := net.ListenPacket("udp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer other.Close()
			s.Send(vec([]byte("knock")), other.LocalAddr().(*net.UDPAddr).AddrPort())
			s.asked[from] = time.Now()
			s.Send(vec([]byte("late")), from)
			for _, c := range []net.PacketConn{client, other} {
				if err := c.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
					t.Fatal(err)
				}
				if k, _, err := c.ReadFrom(b); err == nil {
					t.Errorf("a socket of the host got %q", b[:k])
				}
			}
		})
	}
}

// TestHostModeAnswers has a server in host mode whose list lets it begin nothing.
func TestHostModeAnswers(t *testing.T) {
	n := newNetwork(t, Config{Mode: ModeHost, Connect: &[]string{}})
	s := bound(t, n, Datagram, "127.0.0.1:0")
	at, err := s.LocalAddr()
	check(t, err, nil)
	client, err := net.Dial("udp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := fmt.Fprint(client, "question"); err != nil {
		t.Fatal(err)
	}
	from := receive(t, s, "question").From
	send(t, s, "answer", from)
	b := make([]byte, 16)
	if k, err := client.Read(b); err != nil || string(b[:k]) != "answer" {
		t.Fatalf("%q, %v", b[:k], err)
	}
	_, err = s.Send(vec([]byte("x")), netip.AddrPortFrom(from.Addr(), from.Port()^1))
	check(t, err, unix.EACCES)
	check(t, s.Connect(from), unix.EACCES)
	check(t, open(t, n, IPv4, Stream).Connect(at), unix.EACCES)
}

// TestNoAllocation holds what is sent and received often.
func TestNoAllocation(t *testing.T) {
	private, host := newNetwork(t, Config{Mode: ModePrivate}), newNetwork(t, Config{Mode: ModeHost, Connect: &[]string{"127.0.0.0/8:*"}})
	b := make([]byte, 64)
	v := make([]unix.Iovec, 1)
	again := func() []unix.Iovec {
		v[0] = unix.Iovec{Base: &b[0]}
		v[0].SetLen(len(b))
		return v
	}
	pass := func(from, to *Socket, at netip.AddrPort) func() {
		return func() {
			if n, err := from.Send(again(), at); n != len(b) || err != nil {
				t.Fatal(n, err)
			}
			if got, err := to.Receive(again(), false, false); got.N != len(b) || err != nil {
				t.Fatal(got, err)
			}
		}
	}
	for what, run := range map[string]func(){
		"stream within the guest":   func() func() { c, s := connection(t, private); return pass(c, s, netip.AddrPort{}) }(),
		"stream in host mode":       func() func() { c, s := connection(t, host); return pass(c, s, netip.AddrPort{}) }(),
		"datagram within the guest": pass(open(t, private, IPv4, Datagram), bound(t, private, Datagram, "127.0.0.1:53"), addr("127.0.0.1:53")),
		"datagram in host mode": func() func() {
			s := bound(t, host, Datagram, "127.0.0.1:0")
			at, err := s.LocalAddr()
			check(t, err, nil)
			return pass(open(t, host, IPv4, Datagram), s, at)
		}(),
	} {
		run()
		if got := testing.AllocsPerRun(200, run); got != 0 {
			t.Errorf("%s: %v allocations", what, got)
		}
	}
}

// connection makes two ends of a stream of one guest.
func connection(t *testing.T, n *Network) (client, server *Socket) {
	t.Helper()
	l := listenAt(t, n, "127.0.0.1:0")
	at, err := l.LocalAddr()
	check(t, err, nil)
	client = open(t, n, IPv4, Stream)
	check(t, client.Connect(at), nil)
	server, err = l.Accept()
	check(t, err, nil)
	t.Cleanup(func() { server.Close() })
	return client, server
}
