//go:build linux

package preview1

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"wherry/internal/wasi/host/socket"
)

// addrinfo builds a guest's linked list of n structures, with room bytes for an
// address each and 32 for a name.
func (g *guest) addrinfo(n, room int) (list uint64) {
	next := uint64(0)
	for range n {
		sa := g.words(0, uint64(room), g.room(room))
		next = g.words(0, 0, 0, sa, g.room(32), 32, next)
	}
	return next
}

func TestAddrinfo(t *testing.T) {
	g := newGuest(t, Config{}, socket.Config{Mode: socket.ModePrivate,
		Hosts: map[string][]netip.Addr{"db": {netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("fd00::2")}}})
	for _, c := range []struct {
		what, node, service string
		flags               uint16
		family, typ, proto  byte
		room, max           int
		want                errno
		addrs               []string
	}{
		{what: "both", node: "db", service: "http", room: 26, max: 4, addrs: []string{"10.0.0.2:80", "[fd00::2]:80"}},
		{what: "C strings", node: "db\x00", service: "81\x00", family: familyInet4, room: 26, max: 4, addrs: []string{"10.0.0.2:81"}},
		{what: "no room for IPv6", node: "db", service: "80", room: 14, max: 4, addrs: []string{"10.0.0.2:80"}},
		{what: "room for one", node: "db", service: "80", room: 26, max: 1, addrs: []string{"10.0.0.2:80"}},
		{what: "room for none", node: "db", service: "80", room: 4, max: 4, want: errAIMemory},
		{what: "no list", node: "db", service: "80", room: 4, max: 0, want: errAIMemory},
		{what: "mapped", node: "10.0.0.9", flags: aiV4Mapped, family: familyInet6, room: 26, max: 4, addrs: []string{"[::ffff:10.0.0.9]:0"}},
		{what: "passive", service: "8080", flags: aiPassive, room: 26, max: 4, addrs: []string{"0.0.0.0:8080", "[::]:8080"}},
		{what: "loopback", service: "8080", family: familyInet6, room: 26, max: 4, addrs: []string{"[::1]:8080"}},
		{what: "nothing asked", room: 26, max: 4, want: errAINoName},
		{what: "numeric name", node: "db", flags: aiNumericHost, room: 26, max: 4, want: errAINoName},
		{what: "unknown service", node: "db", service: "gopher", room: 26, max: 4, want: errAIService},
		{what: "unknown flag", node: "db", flags: 1 << 7, room: 26, max: 4, want: errAIBadFlag},
		{what: "unix", node: "db", family: familyUnix, room: 26, max: 4, want: errAIFamily},
		{what: "unknown type", node: "db", typ: 3, room: 26, max: 4, want: errNosys},
	} {
		t.Run(c.what, func(t *testing.T) {
			g.next = 1024
			hint := make([]byte, addrinfoSize)
			binary.LittleEndian.PutUint16(hint, c.flags)
			hint[addrinfoFamily], hint[addrinfoType], hint[addrinfoProtocol] = c.family, c.typ, c.proto
			node, nodeN := g.text(c.node)
			service, serviceN := g.text(c.service)
			n, list := g.room(4), g.addrinfo(c.max, c.room)
			g.want(c.want, "sock_getaddrinfo", node, nodeN, service, serviceN, g.put(hint), g.words(list), uint64(c.max), n)
			if c.want != ok {
				return
			}
			var got []string
			for range g.u32(n) {
				got = append(got, g.result(list))
				list = uint64(g.u32(list + addrinfoNext))
			}
			if !equal(got, c.addrs) {
				t.Errorf("got %q, want %q", got, c.addrs)
			}
		})
	}
	g.want(errFault, "sock_getaddrinfo", memorySize, 1, 0, 0, 0, 0, 1, 0)
	g.want(errFault, "sock_getaddrinfo", 0, 0, 0, 0, memorySize-addrinfoSize+1, 0, 1, 0)
}

// result reads an address out of an addrinfo.
func (g *guest) result(at uint64) string {
	sa := uint64(g.u32(at + addrinfoAddr))
	data := g.mem[g.u32(sa+sockaddrData):][:g.u32(sa+sockaddrDataLen)]
	port := binary.BigEndian.Uint16(data)
	if g.mem[sa] == familyInet4 {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(data[2:])), port).String()
	}
	return netip.AddrPortFrom(netip.AddrFrom16([16]byte(data[6:])), port).String()
}

func TestCanonicalName(t *testing.T) {
	g := newGuest(t, Config{}, private())
	node, n := g.text("LocalHost")
	hint := make([]byte, addrinfoSize)
	hint[0], hint[addrinfoFamily] = aiCanonname, familyInet4
	list := g.addrinfo(1, 14)
	g.ok("sock_getaddrinfo", node, n, 0, 0, g.put(hint), g.words(list), 1, g.room(4))
	if name := g.mem[g.u32(list+addrinfoName):][:g.u32(list+addrinfoNameLen)]; string(name) != "localhost" {
		t.Errorf("canonical name %q", name)
	}
}
