//go:build linux

package socket

import (
	"net"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"wherry/internal/testutil/disguise"
	"wherry/internal/testutil/netns"
	"wherry/internal/wasi/host"
)

const alone = "WHERRY_TEST_DISGUISE"

// inNetwork runs a test once more in a network namespace of its own, and tells
// whether this is that run.
func inNetwork(t *testing.T) bool {
	t.Helper()
	if os.Getenv(alone) == t.Name() {
		return true
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := netns.Command(t, self, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(cmd.Env, alone+"="+t.Name())
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("%v\n%s", err, out)
	}
	return false
}

// service is a service of the host: it counts who reaches it.
type service struct {
	port    uint16
	reached atomic.Int64
}

// startService listens on all addresses of the host, TCP and UDP, on one port.
func startService(t *testing.T) *service {
	t.Helper()
	tcp, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	s := &service{port: tcp.Addr().(*net.TCPAddr).AddrPort().Port()}
	udp, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.IPv6Unspecified(), s.port)))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{}, 2)
	go func() {
		defer func() { done <- struct{}{} }()
		for {
			c, err := tcp.Accept()
			if err != nil {
				return
			}
			s.reached.Add(1)
			c.Close()
		}
	}()
	go func() {
		defer func() { done <- struct{}{} }()
		for {
			if _, _, err := udp.ReadFrom(make([]byte, 64)); err != nil {
				return
			}
			s.reached.Add(1)
		}
	}()
	t.Cleanup(func() {
		tcp.Close()
		udp.Close()
		<-done
		<-done
	})
	return s
}

// settle waits until all that was sent so far is counted, by a datagram and a
// connection of the test's own, and tells how many others there were.
func (s *service) settle(t *testing.T) int64 {
	t.Helper()
	at := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), s.port).String()
	before := s.reached.Load()
	for _, network := range []string{"tcp", "udp"} {
		c, err := net.Dial(network, at)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write([]byte("x")); err != nil && network == "udp" {
			t.Fatal(err)
		}
		c.Close()
	}
	for deadline := time.Now().Add(10 * time.Second); ; {
		if n := s.reached.Load(); n >= before+2 {
			return s.reached.Add(-2)
		}
		if time.Now().After(deadline) {
			t.Fatal("the service does not answer the test")
		}
		time.Sleep(time.Millisecond) // its own goroutines count
	}
}

// ways are how a guest may go to an address.
var ways = []struct {
	name string
	try  func(n *Network, to netip.AddrPort)
}{
	{"connect", func(n *Network, to netip.AddrPort) { attempt(n, to, Stream, false) }},
	{"connect without waiting", func(n *Network, to netip.AddrPort) { attempt(n, to, Stream, true) }},
	{"connected datagrams", func(n *Network, to netip.AddrPort) { attempt(n, to, Datagram, false) }},
	{"datagram", func(n *Network, to netip.AddrPort) {
		with(n, to, Datagram, func(s *Socket) { s.Send(vec([]byte("x")), to) })
	}},
	{"datagram of a bound socket", func(n *Network, to netip.AddrPort) {
		with(n, to, Datagram, func(s *Socket) {
			if s.Bind(netip.AddrPortFrom(unspecified(s.family), 5353)) == nil {
				s.Send(vec([]byte("x")), to)
			}
		})
	}},
	{"another peer", func(n *Network, to netip.AddrPort) { // first one that may be had
		with(n, to, Datagram, func(s *Socket) {
			s.Connect(netip.AddrPortFrom(loopback(unspecified(s.family)), 9))
			s.Connect(to)
			s.Send(vec([]byte("x")), netip.AddrPort{})
			s.Send(vec([]byte("x")), to)
		})
	}},
	{"the other family's socket", func(n *Network, to netip.AddrPort) {
		if s, err := n.Open(IPv4+IPv6-familyOf(to.Addr()), Datagram); err == nil {
			s.Send(vec([]byte("x")), to)
			s.Connect(to)
			s.Send(vec([]byte("x")), netip.AddrPort{})
			s.Close()
		}
	}},
}

func familyOf(a netip.Addr) Family {
	if a.Is4() {
		return IPv4
	}
	return IPv6
}

func unspecified(f Family) netip.Addr {
	if f == IPv4 {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

func with(n *Network, to netip.AddrPort, typ Type, use func(s *Socket)) {
	s, err := n.Open(familyOf(to.Addr()), typ)
	if err != nil {
		return
	}
	defer s.Close()
	s.SetTimeouts(100*time.Millisecond, 100*time.Millisecond)
	s.SetOption(Broadcast, 1)
	s.SetOption(DontRoute, 1)
	use(s)
}

// attempt connects, and sends what a guest that got through would send.
func attempt(n *Network, to netip.AddrPort, typ Type, nonBlock bool) {
	with(n, to, typ, func(s *Socket) {
		s.NonBlock = nonBlock
		err := s.Connect(to)
		if err == unix.EINPROGRESS {
			host.Poll([]unix.PollFd{{Fd: int32(s.PollFD()), Events: unix.POLLOUT}}, 100*time.Millisecond)
			err = s.Connect(to)
		}
		if err == nil || err == unix.EISCONN {
			s.Send(vec([]byte("x")), netip.AddrPort{})
		}
	})
}

// lists are the policies that no disguise may get through.
var lists = map[string]*[]string{
	"all outside":   nil,
	"anything":      {"*:*"},
	"wide prefixes": {"0.0.0.0/0:*", "[::/0]:*"},
	"names":         {"localhost:*", "*.example.com:*"},
	"nothing":       {},
}

// TestDisguises has a guest that tries everything to reach a service of its
// host's, in a network with another machine, to which all routes lead.
func TestDisguises(t *testing.T) {
	if !inNetwork(t) {
		return
	}
	far := netns.NewFar(t)
	far.Route(t)
	svc := startService(t)
	var own []string
	list, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range list {
		own = append(own, a.String())
	}
	addrs, err := disguise.Own(own)
	if err != nil || len(addrs) < 2 {
		t.Fatalf("own addresses %v, %v", addrs, err)
	}
	cases := disguise.Cases(addrs...)
	if len(cases) < 60 {
		t.Fatalf("%d cases", len(cases))
	}
	for name, connect := range lists {
		t.Run(name, func(t *testing.T) {
			n := newNetwork(t, Config{Mode: ModePrivate, Connect: connect})
			for _, c := range cases {
				t.Run(c.Name, func(t *testing.T) {
					for _, addr := range resolve(n, c) {
						for _, w := range ways {
							w.try(n, netip.AddrPortFrom(addr, svc.port))
						}
					}
					if got := svc.reached.Load(); got != 0 {
						t.Fatalf("the host's service was reached %d times", got)
					}
				})
			}
		})
	}
	if got := svc.settle(t); got != 0 {
		t.Fatalf("the host's service was reached %d times", got)
	}

	// The corpus bites: without the policy most of it gets through.
	free := newNetwork(t, Config{Mode: ModeHost})
	reached := 0
	for _, c := range cases {
		before := svc.settle(t)
		for _, addr := range resolve(free, c) {
			attempt(free, netip.AddrPortFrom(addr, svc.port), Stream, false)
			attempt(free, netip.AddrPortFrom(addr, svc.port), Datagram, false)
		}
		if svc.settle(t) > before {
			reached++
		}
	}
	if reached < 15 {
		t.Errorf("without the policy %d disguises reach the service", reached)
	}
	t.Logf("%d disguises, of which %d reach an open network", len(cases), reached)
}

func resolve(n *Network, c disguise.Case) []netip.Addr {
	if c.Addr.IsValid() {
		return []netip.Addr{c.Addr}
	}
	addrs, _, err := n.Lookup(c.Host, 0, false)
	if err != nil {
		return nil
	}
	return addrs
}
