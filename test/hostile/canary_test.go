//go:build linux

package hostile

import (
	"errors"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
)

// services are the host's own, which no guest may reach. They say the canary's
// text to whoever comes.
type services struct {
	t        testing.TB
	tcp      net.Listener
	udp      net.PacketConn
	visitors atomic.Int64
	done     sync.WaitGroup
}

// serve listens on every address of the machine, in both families.
func serve(t testing.TB, w *world) *services {
	t.Helper()
	s := &services{t: t}
	var err error
	if s.tcp, err = net.Listen("tcp", ":0"); err != nil {
		t.Fatal(err)
	}
	if s.udp, err = net.ListenPacket("udp", ":0"); err != nil {
		t.Fatal(err)
	}
	text := []byte(canary + w.secret)
	s.done.Go(func() {
		for {
			c, err := s.tcp.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				t.Error(err)
				return
			}
			s.visitors.Add(1)
			_, _ = c.Write(text) // it may be gone
			c.Close()
		}
	})
	s.done.Go(func() {
		buf := make([]byte, 64)
		for {
			_, from, err := s.udp.ReadFrom(buf)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			s.visitors.Add(1)
			if err == nil {
				_, _ = s.udp.WriteTo(text, from)
			}
		}
	})
	t.Cleanup(func() {
		s.tcp.Close()
		s.udp.Close()
		s.done.Wait()
	})
	return s
}

// arguments tell a guest where the services are.
func (s *services) arguments() []string {
	return []string{
		"tcp=" + strconv.Itoa(s.tcp.Addr().(*net.TCPAddr).Port), "udp=" + strconv.Itoa(s.udp.LocalAddr().(*net.UDPAddr).Port),
		"own=" + ownAddress(s.t),
	}
}

// check fails where somebody came. A visit of the test's own proves that one
// would have been seen.
func (s *services) check() {
	s.t.Helper()
	if n := s.visitors.Load(); n != 0 {
		s.t.Errorf("%d visits to services of the host", n)
	}
	c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(s.tcp.Addr().(*net.TCPAddr).Port)))
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close()
	if n, err := c.Read(make([]byte, 64)); n == 0 || s.visitors.Load() != 1 {
		s.t.Errorf("the test's own visit: %v, %d seen", err, s.visitors.Load())
	}
}

// ownAddress is an address of the machine beside its loopback, if it has one.
func ownAddress(t testing.TB) string {
	t.Helper()
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		if ip, ok := a.(*net.IPNet); ok && ip.IP.To4() != nil && !ip.IP.IsLoopback() {
			return ip.IP.String()
		}
	}
	return "127.0.0.1"
}
