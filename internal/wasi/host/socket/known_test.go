//go:build linux

package socket

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/sys/unix"

	"wherry/internal/wasi/host/socket/policy"
)

// listed is a private network with a list, on a machine with a name server.
func listed(t *testing.T, s *nameServer, search []string, list ...string) *Network {
	t.Helper()
	return onMachine(t, Config{Mode: ModePrivate, DNS: []netip.AddrPort{s.at}, Search: search, Connect: &list})
}

func wantReach(t *testing.T, n *Network, to string, want error) {
	t.Helper()
	if v := n.reach(addr(to)); v.err != want || v.err == nil && v.where != outside {
		t.Errorf("to %s: %v, %v, want %v", to, v.where, v.err, want)
	}
}

// TestRebinding has a name server that changes its mind.
func TestRebinding(t *testing.T) {
	s := startNameServer(t, map[string][]dnsmessage.ResourceBody{})
	const name = "api.test."
	for what, body := range map[string]dnsmessage.ResourceBody{
		"loopback": a("127.0.0.1"), "another loopback": a("127.9.9.9"), "unspecified": a("0.0.0.0"), "this network": a("0.0.0.7"),
		"own address": a("10.0.0.5"), "link-local": a("169.254.9.9"), "metadata": a("169.254.169.254"), "Alibaba's metadata": a("100.100.100.200"),
		"multicast": a("224.0.0.1"), "broadcast": a("198.51.100.255"), "limited broadcast": a("255.255.255.255"),
		"IPv6 loopback": aaaa("::1"), "IPv6 unspecified": aaaa("::"), "own IPv6 address": aaaa("fd00::5"), "IPv6 link-local": aaaa("fe80::1"),
		"mapped loopback": aaaa("::ffff:127.0.0.1"), "mapped own address": aaaa("::ffff:10.0.0.5"), "mapped ordinary address": aaaa("::ffff:8.8.8.8"),
		"compatible loopback": aaaa("::127.0.0.1"), "translated loopback": aaaa("::ffff:0:127.0.0.1"), "NAT64 of loopback": aaaa("64:ff9b::127.0.0.1"),
		"6to4 of own address": aaaa("2002:a00:5::1"), "IPv6 multicast": aaaa("ff02::1"),
	} {
		t.Run(what, func(t *testing.T) {
			n := listed(t, s, nil, "api.test:443")
			s.set(name, a("203.0.113.5"))
			if got, _, err := n.Lookup("api.test", 0, false); err != nil || len(got) != 1 {
				t.Fatal(got, err)
			}
			wantReach(t, n, "203.0.113.5:443", nil)
			wantReach(t, n, "203.0.113.5:80", unix.EACCES)

			s.set(name, body)
			if got, _, err := n.Lookup("api.test", 0, false); !errors.Is(err, ErrNoName) {
				t.Errorf("the name was given %v, %v", got, err)
			}
			var to netip.Addr
			switch b := body.(type) {
			case *dnsmessage.AResource:
				to = netip.AddrFrom4(b.A)
			case *dnsmessage.AAAAResource:
				to = netip.AddrFrom16(b.AAAA)
			}
			v := n.reach(netip.AddrPortFrom(to, 443))
			if v.err == nil && v.where == outside {
				t.Errorf("%s may be reached outside", to)
			}
			// What the name was before may be used for a while.
			wantReach(t, n, "203.0.113.5:443", nil)

			// Beside an honest address the other does not come along.
			s.set(name, body, a("203.0.113.6"))
			if got, _, err := n.Lookup("api.test", 0, false); err != nil || len(got) != 1 || got[0].String() != "203.0.113.6" {
				t.Errorf("of two: %v, %v", got, err)
			}
		})
	}
}

// TestNumericOfListedName has a guest that brings addresses alone.
func TestNumericOfListedName(t *testing.T) {
	s := startNameServer(t, map[string][]dnsmessage.ResourceBody{
		"api.test.": {a("203.0.113.5"), aaaa("2001:db8::5")},
		"web.test.": {a("203.0.113.6")},
		"x.d.test.": {a("203.0.113.7")},
	})
	n := listed(t, s, nil, "api.test:443", "web.test:80", "*.d.test:443")
	wantReach(t, n, "203.0.113.5:443", nil)
	wantReach(t, n, "[2001:db8::5]:443", nil)
	if got := s.questions(); !reflect.DeepEqual(got, []string{"api.test.", "api.test."}) {
		t.Errorf("asked %v", got)
	}
	// A name that was just asked for is not asked for again, whatever comes.
	for i := range 20 {
		wantReach(t, n, fmt.Sprintf("203.0.113.%d:443", 100+i), unix.EACCES)
	}
	if got := s.questions(); len(got) != 0 {
		t.Errorf("asked again %v", got)
	}
	n.known["api.test"].asked = time.Now().Add(-askAgain)
	wantReach(t, n, "203.0.113.99:443", unix.EACCES)
	if got := s.questions(); len(got) != 2 {
		t.Errorf("after a while asked %v", got)
	}
	wantReach(t, n, "203.0.113.6:443", unix.EACCES)
	wantReach(t, n, "203.0.113.6:80", nil)
	// What a pattern has is known only from names that the guest asked for.
	wantReach(t, n, "203.0.113.7:443", unix.EACCES)
	if _, _, err := n.Lookup("x.d.test", 0, false); err != nil {
		t.Fatal(err)
	}
	wantReach(t, n, "203.0.113.7:443", nil)
	wantReach(t, n, "203.0.113.7:80", unix.EACCES)

	// An address that a name had long ago may be another's.
	s.set("api.test.", a("203.0.113.8"))
	for addr := range n.known["api.test"].addrs {
		n.known["api.test"].addrs[addr] = time.Now()
	}
	n.known["api.test"].asked = time.Time{}
	wantReach(t, n, "203.0.113.5:443", unix.EACCES)
	wantReach(t, n, "203.0.113.8:443", nil)
}

func TestOnlyListedNamesAreAskedFor(t *testing.T) {
	s := startNameServer(t, map[string][]dnsmessage.ResourceBody{
		"api.test.": {a("203.0.113.5")}, "evil.test.": {a("203.0.113.6")}, "db.corp.test.": {a("203.0.113.7")},
		"alias.test.": {&dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName("evil.test.")}},
	})
	n := listed(t, s, []string{"corp.test"}, "api.test:443", "db:5432", "alias.test:443", "203.0.113.9:53")
	for _, name := range []string{"evil.test", "x.api.test", "api.test.evil.test", "secret-data.evil.test", "corp.test", "api", "127.1", "0x7f000001"} {
		if got, _, err := n.Lookup(name, 0, false); !errors.Is(err, ErrNoName) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if got := s.questions(); len(got) != 0 {
		t.Errorf("asked %v", got)
	}
	for name, want := range map[string]string{"api.test": "203.0.113.5", "db": "203.0.113.7", "API.test.": "203.0.113.5", "alias.test": "203.0.113.6", "localhost": "127.0.0.1"} {
		if got, _, err := n.Lookup(name, IPv4, false); err != nil || len(got) != 1 || got[0].String() != want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	for _, q := range s.questions() {
		if strings.HasPrefix(q, "api.test.corp") {
			t.Errorf("asked for %s", q)
		}
	}
	wantReach(t, n, "203.0.113.7:5432", nil)
	// The guest's own questions go only to servers of the list.
	wantReach(t, n, "203.0.113.9:53", nil)
	wantReach(t, n, "203.0.113.10:53", unix.EACCES)

	none := listed(t, s, nil)
	if got, _, err := none.Lookup("api.test", 0, false); !errors.Is(err, ErrNoName) {
		t.Errorf("with an empty list: %v, %v", got, err)
	}
}

func TestKnownNamesAreBounded(t *testing.T) {
	allow, err := policy.ParseAllow([]string{"*.test:1"})
	if err != nil {
		t.Fatal(err)
	}
	k, now := knownNames{}, time.Now()
	for i := range maxNames + 100 {
		k.learn(fmt.Sprintf("n%d.test", i), []netip.Addr{netip.MustParseAddr("203.0.113.1")}, now)
	}
	if len(k) > maxNames {
		t.Errorf("%d names", len(k))
	}
	last := netip.MustParseAddr("203.0.113.1")
	for i := range maxAddrs + 100 {
		k.learn("one.test", []netip.Addr{last}, now.Add(time.Duration(i)))
		last = last.Next()
	}
	if got := len(k["one.test"].addrs); got != maxAddrs {
		t.Errorf("%d addresses of a name", got)
	}
	if !k.gives(&allow, netip.AddrPortFrom(last.Prev(), 1), now) {
		t.Error("the newest address was forgotten")
	}
	if k.gives(&allow, netip.AddrPortFrom(last.Prev(), 1), now.Add(nameLife+time.Second)) {
		t.Error("an address is known for ever")
	}
}

// TestOwnNameServer has guests that would answer their own questions.
func TestOwnNameServer(t *testing.T) {
	fd, at := inheritedUDP(t, "127.0.0.1:0")
	defer unix.Close(fd)
	_, err := New(Config{Mode: ModePrivate, DNS: []netip.AddrPort{at}, Connect: &[]string{"api.test:443"},
		Published: []Listener{{Proto: UDP, Port: 53, FD: fd}}})
	if !errdefs.IsInvalidArgument(err) || !strings.Contains(err.Error(), "another server") {
		t.Errorf("got %v", err)
	}
	n := newNetwork(t, Config{Mode: ModeHost, DNS: []netip.AddrPort{addr("127.0.0.53:5399")}, Connect: &[]string{"api.test:443"}})
	for _, typ := range []Type{Stream, Datagram} {
		check(t, open(t, n, IPv4, typ).Bind(addr("127.0.0.53:5399")), unix.EACCES)
		check(t, open(t, n, IPv6, typ).Bind(addr("[::]:5399")), unix.EACCES)
	}
	check(t, open(t, n, IPv4, Datagram).Bind(addr("127.0.0.1:0")), nil)
}
