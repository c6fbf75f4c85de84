//go:build linux

package preview1

import (
	"encoding/binary"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"wherry/internal/wasi/host/socket"
)

// v1 and v2 put an address into memory in WasmEdge's two forms.
func (g *guest) v1(ip string) uint64 {
	b := netip.MustParseAddr(ip).AsSlice()
	return g.words(g.put(b), uint64(len(b)))
}

func (g *guest) v2(ip string) uint64 {
	a := netip.MustParseAddr(ip)
	b := make([]byte, storageSize)
	b[0] = familyInet6
	if a.Is4() {
		b[0] = familyInet4
	}
	copy(b[2:], a.AsSlice())
	return g.words(g.put(b), storageSize)
}

func (g *guest) socket(family, typ uint64) uint64 {
	g.Helper()
	fd := g.room(4)
	g.ok("sock_open", family, typ, fd)
	return uint64(g.u32(fd))
}

// connection makes a listener, a client and a server of one guest.
func (g *guest) connection() (l, c, s uint64) {
	g.Helper()
	l, c = g.socket(familyInet4, sockStream), g.socket(familyInet4, sockStream)
	g.ok("sock_bind", l, g.v1("0.0.0.0"), 8080)
	g.ok("sock_listen", l, 16)
	g.ok("sock_connect", c, g.v2("127.0.0.1"), 8080)
	fd := g.room(4)
	g.ok("sock_accept", l, fd)
	return l, c, uint64(g.u32(fd))
}

func private() socket.Config { return socket.Config{Mode: socket.ModePrivate} }

func TestSocketCalls(t *testing.T) {
	g := newGuest(t, Config{}, private())
	l, c, s := g.connection()
	n, flags := g.room(4), g.room(4)
	g.ok("sock_send", c, g.content("hello"), 1, 0, n)
	iovs, data := g.buffer(16)
	g.ok("sock_recv", s, iovs, 1, recvPeek, n, flags)
	g.ok("sock_recv", s, iovs, 1, 0, n, flags)
	if g.u32(n) != 5 || string(g.mem[data:data+5]) != "hello" {
		t.Errorf("received %q", g.mem[data:data+uint64(g.u32(n))])
	}
	g.write(s, "via fd_write")
	if got := g.read(c); got != "via fd_write" {
		t.Errorf("read %q", got)
	}
	buf, kind, port := g.words(g.room(16), 16), g.room(4), g.room(4)
	g.ok("sock_getpeeraddr", c, buf, kind, port)
	if ip := g.mem[g.u32(buf):][:4]; netip.AddrFrom4([4]byte(ip)).String() != "127.0.0.1" || g.u32(kind) != 4 || g.u32(port) != 8080 {
		t.Errorf("peer %v, type %d, port %d", ip, g.u32(kind), g.u32(port))
	}
	storage := g.words(g.room(storageSize), storageSize)
	g.ok("sock_getlocaladdr_v2", s, storage, port)
	if b := g.mem[g.u32(storage):]; binary.LittleEndian.Uint16(b) != familyInet4 || b[2] != 127 || g.u32(port) != 8080 {
		t.Errorf("local address % x, port %d", b[:6], g.u32(port))
	}
	g.want(errInval, "sock_getlocaladdr", s, buf, port)
	g.want(errInval, "sock_getlocaladdr", s, storage, kind, port)

	at := g.room(24)
	g.ok("fd_fdstat_get", s, at)
	if g.mem[at] != byte(typeSocketStream) {
		t.Errorf("filetype %d", g.mem[at])
	}
	g.ok("fd_fdstat_set_flags", s, uint64(flagNonBlock))
	g.want(6, "sock_recv", s, iovs, 1, 0, n, flags)
	g.ok("fd_fdstat_set_flags", l, uint64(flagNonBlock))
	g.want(6, "sock_accept", l, 0, n)
	g.want(errInval, "sock_accept", l, 1<<20, n)
	if got := g.pollOneoff(fdSub(1, eventRead, uint32(s)), fdSub(2, eventWrite, uint32(s)), fdSub(3, eventRead, uint32(l))); len(got) != 1 || got[0].userdata != 2 {
		t.Errorf("nothing to read: %+v", got)
	}
	again := g.socket(familyInet4, sockStream)
	g.ok("sock_connect", again, g.v1("127.0.0.1"), 8080)
	g.ok("sock_shutdown", c, 3)
	got := g.pollOneoff(fdSub(1, eventRead, uint32(s)), fdSub(3, eventRead, uint32(l)))
	if len(got) != 2 || got[0].flags != eventHangup || got[1].bytes != 1 {
		t.Errorf("a hang-up and a call: %+v", got)
	}
	if got := g.read(s); got != "" {
		t.Errorf("read %q from a closed connection", got)
	}
}

func TestSocketErrors(t *testing.T) {
	g := newGuest(t, Config{}, private())
	n := g.room(8)
	g.want(errNosys, "sock_open", familyUnix, sockStream, n)
	g.want(errInval, "sock_open", 0, sockStream, n)
	g.want(errInval, "sock_open", familyInet4, sockAny, n)
	g.want(errFault, "sock_open", familyInet4, sockStream, memorySize)
	s := g.socket(familyInet4, sockStream)
	g.want(14, "sock_connect", s, g.v1("127.0.0.1"), 1)
	g.want(errInval, "sock_bind", s, g.words(g.room(5), 5), 1)
	g.want(errInval, "sock_bind", s, g.v1("0.0.0.0"), 65536)
	g.want(errFault, "sock_bind", s, g.words(memorySize, 4), 1)
	g.want(errFault, "sock_bind", s, 0xfffffffe, 1)
	g.want(errNosys, "sock_bind", s, g.words(g.put(append([]byte{familyUnix, 0}, make([]byte, 126)...)), storageSize), 1)
	g.want(errNotsock, "sock_bind", 1, g.v1("0.0.0.0"), 1)
	g.want(errBadf, "sock_listen", 77, 1)
	g.want(errInval, "sock_accept", s, n)
	g.want(errInval, "sock_shutdown", s, 4)
	g.want(errNotsock, "sock_shutdown", 0, 1)
	g.want(errInval, "sock_send", s, 0, 0, 1, n)

	none := newGuest(t, Config{}, socket.Config{})
	none.want(errAcces, "sock_open", familyInet4, sockStream, n)
}

func TestDatagramCalls(t *testing.T) {
	g := newGuest(t, Config{}, private())
	server, client := g.socket(familyInet6, sockDgram), g.socket(familyInet6, sockDgram)
	g.ok("sock_bind", server, g.v2("::"), 53)
	n, flags, port := g.room(4), g.room(4), g.room(4)
	g.ok("sock_send_to", client, g.content("question"), 1, g.v1("::1"), 53, 0, n)
	iovs, data := g.buffer(4)
	from := g.words(g.room(storageSize), storageSize)
	g.ok("sock_recv_from", server, iovs, 1, from, 0, port, n, flags)
	if string(g.mem[data:data+4]) != "ques" || g.u16(flags) != recvTruncated || g.u16(from) == 0 || g.u16(port) == 0 {
		t.Errorf("%q, flags %d, port %d", g.mem[data:data+4], g.u16(flags), g.u16(port))
	}
	if b := g.mem[g.u32(from):]; b[0] != familyInet6 || b[17] != 1 {
		t.Errorf("from % x", b[:18])
	}
	g.ok("sock_send_to", server, g.content("answer"), 1, from, uint64(g.u16(port)), 0, n)
	plain := g.words(g.room(16), 16)
	g.ok("sock_recv_from", client, iovs, 1, plain, 0, n, flags)
	if b := g.mem[g.u32(plain):]; b[15] != 1 {
		t.Errorf("V1 wrote % x", b[:16])
	}
}

func TestOptionCalls(t *testing.T) {
	g := newGuest(t, Config{}, private())
	l, c, _ := g.connection()
	value, size := g.room(16), g.words(16)
	get := func(fd, name uint64) []byte {
		t.Helper()
		binary.LittleEndian.PutUint32(g.mem[size:], 16)
		g.ok("sock_getsockopt", fd, 0, name, value, size)
		return g.mem[value : value+uint64(g.u32(size))]
	}
	for name, want := range map[uint64]uint32{soType: sockStream, soError: 0, soAcceptconn: 1} {
		if b := get(l, name); len(b) != 4 || binary.LittleEndian.Uint32(b) != want {
			t.Errorf("option %d is % x, want %d", name, b, want)
		}
	}
	g.ok("sock_setsockopt", c, 0, soKeepalive, g.words(1), 4)
	if b := get(c, soKeepalive); b[0] != 1 {
		t.Errorf("keepalive % x", b)
	}
	g.ok("sock_setsockopt", c, 0, soLinger, g.words(1, 5), 8)
	if b := get(c, soLinger); b[0] != 1 || b[4] != 5 {
		t.Errorf("linger % x", b)
	}
	tv := g.put(binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, 0), 2000))
	g.ok("sock_setsockopt", c, 0, soRcvtimeo, tv, 16)
	if b := get(c, soRcvtimeo); binary.LittleEndian.Uint64(b[8:]) != 2000 {
		t.Errorf("timeout % x", b)
	}
	iovs, _ := g.buffer(4)
	start := time.Now()
	g.want(6, "sock_recv", c, iovs, 1, 0, size, value)
	if time.Since(start) < 2*time.Millisecond {
		t.Error("the timeout was not waited for")
	}
	g.want(errNoprotoopt, "sock_setsockopt", c, 0, soError, value, 4)
	g.want(errNoprotoopt, "sock_setsockopt", c, 0, 99, value, 4)
	g.want(errNoprotoopt, "sock_setsockopt", c, 1, soReuseaddr, value, 4)
	g.want(errNoprotoopt, "sock_getsockopt", c, 0, 99, value, g.words(4))
	g.want(63, "sock_setsockopt", c, 0, soBindtodevice, value, 4)
	g.want(errInval, "sock_setsockopt", c, 0, soReuseaddr, value, 3)
	g.want(errFault, "sock_setsockopt", c, 0, soReuseaddr, memorySize, 4)
	g.want(errInval, "sock_getsockopt", c, 0, soError, value, g.words(3))
}

// TestPreopenedListener serves the host through descriptor 4.
func TestPreopenedListener(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	raw, err := tcp.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	inherited := -1
	if err := raw.Control(func(fd uintptr) { inherited, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 3) }); err != nil || inherited < 0 {
		t.Fatal(err)
	}
	g := newGuest(t, Config{}, socket.Config{Mode: socket.ModePrivate, Preopen: true,
		Published: []socket.Listener{{Proto: socket.TCP, Port: 80, FD: inherited}}})
	if got := string(g.h.env.data); got != "LISTEN_FDS=1\x00" {
		t.Errorf("environment %q", got)
	}
	c, err := net.Dial("tcp", tcp.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	g.pollOneoff(fdSub(1, eventRead, 4))
	fd := g.room(4)
	g.ok("sock_accept", 4, uint64(flagNonBlock), fd)
	g.write(uint64(g.u32(fd)), "served")
	b := make([]byte, 16)
	if k, err := c.Read(b); err != nil || string(b[:k]) != "served" {
		t.Errorf("the host read %q, %v", b[:k], err)
	}
	g.want(errBadf, "fd_prestat_get", 4, fd)

	// Now that the guest looks at it, the listener does not wait any more.
	stat := g.room(24)
	g.ok("fd_fdstat_get", 4, stat)
	if g.u16(stat+2) != flagNonBlock {
		t.Errorf("flags %#x", g.u16(stat+2))
	}
	g.want(6, "sock_accept", 4, 0, fd)
}
