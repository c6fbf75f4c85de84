//go:build linux

package preview1

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"wherry/internal/wasi/host/socket"
)

// FuzzAddress reads addresses from a guest's memory, in either form and of any
// length. What is read is of the form that its length says, carries no zone, and
// comes back unchanged through writing.
func FuzzAddress(f *testing.F) {
	for _, a := range []string{"127.0.0.1", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1", "64:ff9b::7f00:1"} {
		ip := netip.MustParseAddr(a)
		f.Add(ip.AsSlice(), uint32(80))
		b := make([]byte, storageSize)
		if putAddressV2(b, ip) != ok {
			f.Fatal(a)
		}
		f.Add(b, uint32(65535))
	}
	f.Add(make([]byte, storageSize), uint32(65536))
	f.Add(append([]byte{familyUnix, 0, '/', 'x'}, make([]byte, storageSize-4)...), uint32(0))
	f.Fuzz(func(t *testing.T, b []byte, port uint32) {
		m := binary.LittleEndian.AppendUint32(nil, 8)
		m = append(binary.LittleEndian.AppendUint32(m, uint32(len(b))), b...)
		to, e := memory(m).address(0, port)
		if e != ok {
			if to.IsValid() {
				t.Fatalf("%v, and errno %d", to, e)
			}
			return
		}
		switch a := to.Addr(); {
		case port > 65535:
			t.Fatalf("port %d was read as %d", port, to.Port())
		case a.Zone() != "", !a.IsValid():
			t.Fatalf("read %v", to)
		case len(b) == 4 && !a.Is4(), len(b) == 16 && !a.Is6():
			t.Fatalf("%d bytes were read as %v", len(b), a)
		}
		again := make([]byte, len(b))
		if len(b) == storageSize {
			if putAddressV2(again, to.Addr()) != ok || !bytes.Equal(again[:2], b[:2]) || !bytes.Equal(again[2:6], b[2:6]) {
				t.Fatalf("% x became % x", b, again)
			}
		} else if _, e := putAddressV1(again, to.Addr()); e != ok || !bytes.Equal(again, b) {
			t.Fatalf("% x became % x", b, again)
		}
	})
}

// TestDeniedCalls has a guest whose list has nothing, through the calls
// themselves.
func TestDeniedCalls(t *testing.T) {
	g := newGuest(t, Config{}, socket.Config{Mode: socket.ModePrivate, Connect: &[]string{}})
	n := g.room(4)
	for _, family := range []uint64{familyInet4, familyInet6} {
		stream, datagram := g.socket(family, sockStream), g.socket(family, sockDgram)
		ip := "203.0.113.1"
		if family == familyInet6 {
			ip = "::ffff:203.0.113.1"
		}
		for _, to := range []uint64{g.v1(ip), g.v2(ip)} {
			g.want(errAcces, "sock_connect", stream, to, 443)
			g.want(errAcces, "sock_connect", datagram, to, 53)
			g.want(errAcces, "sock_send_to", datagram, g.content("x"), 1, to, 53, 0, n)
		}
		// MSG_FASTOPEN, MSG_DONTROUTE, MSG_ERRQUEUE and all other flags mean nothing.
		for bit := range 32 {
			g.want(errInval, "sock_send", stream, g.content("x"), 1, 1<<bit, n)
			g.want(errInval, "sock_send_to", datagram, g.content("x"), 1, g.v1("127.0.0.1"), 53, 1<<bit, n)
			if bit > 1 {
				iovs, _ := g.buffer(4)
				g.want(errInval, "sock_recv", stream, iovs, 1, 1<<bit, n, n)
			}
			g.next = 16384
		}
		// Of options there are those of the table only, on one level.
		for level := range uint64(300) {
			for _, name := range []uint64{1, 6, 8, 10, 19, 23, 25, 31, 35, 36} { // SO_BINDTODEVICE, SO_MARK, IP_TRANSPARENT, TCP_ULP and their like
				if level > 0 {
					g.want(errNoprotoopt, "sock_setsockopt", stream, level, name, n, 4)
				}
			}
		}
		for name := uint64(soBindtodevice + 1); name < 100; name++ {
			g.want(errNoprotoopt, "sock_setsockopt", stream, 0, name, n, 4)
		}
		g.want(63, "sock_setsockopt", datagram, 0, soBindtodevice, g.put([]byte("lo\x00\x00")), 4)
		g.want(toErrno(unix.EPERM), "sock_setsockopt", datagram, 0, soDontroute, g.words(1), 4)
	}
}
