//go:build linux

package socket

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// nameServer answers over UDP and TCP on one port, from a table.
type nameServer struct {
	at netip.AddrPort

	mu sync.Mutex
	// asked are the names that were asked for.
	asked []string
	names map[string][]dnsmessage.ResourceBody
	// long are names whose replies are said not to fit a datagram.
	long map[string]bool
}

// set changes what a name has.
func (s *nameServer) set(name string, bodies ...dnsmessage.ResourceBody) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.names[name] = bodies
}

// questions gives the names that were asked for since it was last called.
func (s *nameServer) questions() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.asked
	s.asked = nil
	return list
}

func startNameServer(t *testing.T, names map[string][]dnsmessage.ResourceBody, long ...string) *nameServer {
	t.Helper()
	s := &nameServer{names: names, long: map[string]bool{}}
	for _, name := range long {
		s.long[name] = true
	}
	udp, tcp := samePort(t)
	s.at = tcp.Addr().(*net.TCPAddr).AddrPort()
	done := make(chan struct{}, 2)
	go func() { s.serveUDP(udp); done <- struct{}{} }()
	go func() { s.serveTCP(tcp); done <- struct{}{} }()
	t.Cleanup(func() {
		udp.Close()
		tcp.Close()
		<-done
		<-done
	})
	return s
}

// samePort opens a port that is free in both protocols.
func samePort(t *testing.T) (net.PacketConn, net.Listener) {
	t.Helper()
	for range 20 {
		tcp, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		udp, err := net.ListenPacket("udp", tcp.Addr().String())
		if err == nil {
			return udp, tcp
		}
		tcp.Close()
	}
	t.Fatal("no port is free in both protocols")
	return nil, nil
}

func (s *nameServer) serveUDP(c net.PacketConn) {
	b := make([]byte, 512)
	for {
		n, from, err := c.ReadFrom(b)
		if err != nil {
			return
		}
		if _, err := c.WriteTo([]byte("noise"), from); err != nil { // is to be passed over
			return
		}
		if reply := s.reply(b[:n], true); reply != nil {
			if _, err := c.WriteTo(reply, from); err != nil {
				return
			}
		}
	}
}

func (s *nameServer) serveTCP(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		var size [2]byte
		if _, err := io.ReadFull(c, size[:]); err == nil {
			b := make([]byte, binary.BigEndian.Uint16(size[:]))
			if _, err := io.ReadFull(c, b); err == nil {
				reply := s.reply(b, false)
				c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...))
			}
		}
		c.Close()
	}
}

func (s *nameServer) reply(b []byte, datagram bool) []byte {
	var m dnsmessage.Message
	if m.Unpack(b) != nil || len(m.Questions) != 1 {
		return nil
	}
	q := m.Questions[0]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, q.Name.String())
	m.Response, m.RCode = true, dnsmessage.RCodeNameError
	if q.Name.String() == "broken.test." {
		m.RCode = dnsmessage.RCodeServerFailure
	}
	if s.long[q.Name.String()] && datagram {
		m.RCode, m.Truncated = dnsmessage.RCodeSuccess, true
	} else {
		for name := q.Name; ; {
			bodies, found := s.names[strings.ToLower(name.String())]
			if !found {
				break
			}
			m.RCode = dnsmessage.RCodeSuccess
			alias := false
			for _, body := range bodies {
				m.Answers = append(m.Answers, dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: name, Class: q.Class}, Body: body})
				if c, ok := body.(*dnsmessage.CNAMEResource); ok {
					name, alias = c.CNAME, true
				}
			}
			if !alias {
				break
			}
		}
	}
	out, err := m.Pack()
	if err != nil {
		return nil
	}
	return out
}

// a and aaaa are records of an address.
func a(ip string) dnsmessage.ResourceBody {
	return &dnsmessage.AResource{A: netip.MustParseAddr(ip).As4()}
}

func aaaa(ip string) dnsmessage.ResourceBody {
	return &dnsmessage.AAAAResource{AAAA: netip.MustParseAddr(ip).As16()}
}

func TestLookup(t *testing.T) {
	s := startNameServer(t, map[string][]dnsmessage.ResourceBody{
		"one.test.":        {a("192.0.2.1")},
		"six.test.":        {aaaa("2001:db8::6")},
		"alias.test.":      {&dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName("one.test.")}},
		"loop.test.":       {&dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName("nowhere.test.")}},
		"long.test.":       {a("192.0.2.3")},
		"short.corp.test.": {a("192.0.2.4")},
	}, "long.test.")
	n := newNetwork(t, Config{Mode: ModePrivate, DNS: []netip.AddrPort{s.at}, Search: []string{"corp.test"},
		Hosts: map[string][]netip.Addr{"DB": {netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("10.0.0.2")}}})
	for _, c := range []struct {
		name    string
		family  Family
		numeric bool
		want    []string
		err     error
	}{
		{"192.0.2.9", 0, true, []string{"192.0.2.9"}, nil},
		{"one.test", 0, true, nil, ErrNoName},
		{"localhost", 0, false, []string{"127.0.0.1", "::1"}, nil},
		{"x.localhost", IPv6, false, []string{"::1"}, nil},
		{"db", 0, false, []string{"10.0.0.2", "2001:db8::1"}, nil},
		{"db.", IPv4, false, []string{"10.0.0.2"}, nil},
		{"one.test", 0, false, []string{"192.0.2.1"}, nil},
		{"ONE.test", IPv4, false, []string{"192.0.2.1"}, nil},
		{"six.test", 0, false, []string{"2001:db8::6"}, nil},
		{"six.test", IPv4, false, nil, ErrNoName},
		{"alias.test", 0, false, []string{"192.0.2.1"}, nil},
		{"loop.test", 0, false, nil, ErrNoName},
		{"long.test", 0, false, []string{"192.0.2.3"}, nil},
		{"short", 0, false, []string{"192.0.2.4"}, nil},
		{"nothing", 0, false, nil, ErrNoName},
		{"broken.test.", 0, false, nil, ErrServer},
		{"a..b", 0, false, nil, ErrNoName},
	} {
		got, _, err := n.Lookup(c.name, c.family, c.numeric)
		var text []string
		for _, a := range got {
			text = append(text, a.String())
		}
		if !reflect.DeepEqual(text, c.want) || !errors.Is(err, c.err) {
			t.Errorf("%s, family %d: %v, %v; want %v, %v", c.name, c.family, text, err, c.want, c.err)
		}
	}
	if _, name, err := n.Lookup("alias.test", IPv4, false); err != nil || name != "one.test" {
		t.Errorf("canonical name %q, %v", name, err)
	}
}

func TestNoServer(t *testing.T) {
	r := resolver{}
	if _, _, _, err := r.ask("one.test", 0, nil); !errors.Is(err, ErrTryAgain) {
		t.Errorf("got %v", err)
	}
}

func TestResolvConf(t *testing.T) {
	file := filepath.Join(t.TempDir(), "resolv.conf")
	text := "# comment\nnameserver 192.0.2.1 # first\nnameserver ::1\nnameserver nonsense\ndomain x\nsearch a.test b.test\noptions timeout:1 ndots:2\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	want := resolvConf{servers: []netip.AddrPort{addr("192.0.2.1:53"), addr("[::1]:53")}, search: []string{"a.test", "b.test"}, ndots: 2}
	if got := readResolvConf(file); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := readResolvConf(file + ".missing"); len(got.servers) != 0 || got.ndots != 1 {
		t.Errorf("a missing file gave %+v", got)
	}
}

func TestHostsFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "hosts")
	text := "# comment\n127.0.0.1\tlocalhost\n10.0.0.2 db DB. db.corp # ours\nfe80::1%eth0 link\nnonsense x\n10.0.0.3\n10.0.0.3 db\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ip := netip.MustParseAddr
	want := map[string][]netip.Addr{"localhost": {ip("127.0.0.1")}, "db": {ip("10.0.0.2"), ip("10.0.0.3")}, "db.corp": {ip("10.0.0.2")}, "link": {ip("fe80::1")}}
	var c Config
	if c.ReadHosts(file); !reflect.DeepEqual(c.Hosts, want) {
		t.Errorf("got %v, want %v", c.Hosts, want)
	}
	for _, none := range []string{filepath.Dir(file), "/dev/zero", file + ".missing"} {
		if c.ReadHosts(none); len(c.Hosts) != 0 {
			t.Errorf("%s gave %v", none, c.Hosts)
		}
	}
	if got := parseHosts(strings.Repeat("10.0.0.1 a.b c\n", 1<<16)); len(got) != 2 || len(got["c"]) != 1 {
		t.Errorf("%d names", len(got))
	}
}

func TestService(t *testing.T) {
	for _, c := range []struct {
		name    string
		numeric bool
		port    uint16
		ok      bool
	}{{"", false, 0, true}, {"80", true, 80, true}, {"http", false, 80, true}, {"http", true, 0, false}, {"65536", false, 0, false}, {"-1", false, 0, false}} {
		if port, ok := Service(c.name, c.numeric); port != c.port || ok != c.ok {
			t.Errorf("%q: %d, %v", c.name, port, ok)
		}
	}
}
