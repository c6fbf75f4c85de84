//go:build linux

package socket

import (
	"net/netip"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/sys/unix"
)

// FuzzSockaddr reads whatever a kernel could write, and what it reads comes
// back unchanged through writing.
func FuzzSockaddr(f *testing.F) {
	f.Add([]byte{2, 0, 0, 80, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{10, 0, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1, 0, 0, 0, 0})
	f.Add([]byte{1, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		var a sockaddr
		a.len = uint32(copy(a.buf[:], b))
		ap := a.decode()
		if !ap.IsValid() {
			return
		}
		family := IPv6
		if ap.Addr().Is4() {
			family = IPv4
		}
		var again sockaddr
		if err := again.encode(family, ap); err != nil || again.decode() != ap {
			t.Fatalf("%v became %v, %v", ap, again.decode(), err)
		}
	})
}

// FuzzRoute reads answers of the kernel that are none.
func FuzzRoute(f *testing.F) {
	f.Add(routeRequest(netip.MustParseAddr("192.0.2.1"), 7))
	reply := make([]byte, unix.SizeofNlMsghdr+unix.SizeofRtMsg)
	reply[4], reply[8], reply[unix.SizeofNlMsghdr+7] = unix.RTM_NEWROUTE, 7, unix.RTN_LOCAL
	f.Add(reply)
	f.Fuzz(func(t *testing.T, b []byte) {
		if at, err, ok := parseRoute(b, 7); !ok && (err != nil || at != outside) {
			t.Fatalf("no answer, but %v, %v", at, err)
		}
	})
}

// FuzzReply reads replies of name servers.
func FuzzReply(f *testing.F) {
	q := dnsmessage.Question{Name: dnsmessage.MustNewName("a.test."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}
	m := dnsmessage.Message{Header: dnsmessage.Header{ID: 1, Response: true}, Questions: []dnsmessage.Question{q},
		Answers: []dnsmessage.Resource{
			{Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class}, Body: &dnsmessage.CNAMEResource{CNAME: q.Name}},
			{Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class}, Body: &dnsmessage.AResource{A: [4]byte{192, 0, 2, 1}}},
		}}
	packed, err := m.Pack()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(packed)
	f.Fuzz(func(t *testing.T, b []byte) {
		var m dnsmessage.Message
		if m.Unpack(b) != nil || !matches(&m, 1, q) {
			return
		}
		if addrs, _, err := readReply(&m, q); err == nil && len(addrs) == 0 {
			t.Fatal("neither addresses nor an error")
		}
	})
}

// FuzzResolvConf reads files that an image brought.
func FuzzResolvConf(f *testing.F) {
	f.Add("nameserver 1.1.1.1\nsearch a b\noptions ndots:3")
	f.Fuzz(func(t *testing.T, text string) {
		c := parseResolvConf(text)
		if len(c.servers) > 3 || c.ndots < 0 || c.ndots > 15 {
			t.Fatalf("%+v", c)
		}
	})
}
