//go:build linux

package preview1

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"wherry/internal/wasi/host/socket"
	"wherry/internal/wasi/host/tree"
)

// secret is what lies outside of a guest's reach.
const secret = "b1946ac92492d2347c6235b4d2611184"

// hostile is a guest with something of every kind open, that can reach nothing
// but itself, and never waits.
func hostile(t testing.TB) *guest {
	t.Helper()
	// The name server is a port that nobody has, so that names fail at once.
	g := newGuest(t, Config{Args: []string{"a"}, Env: []string{"B=c"}}, socket.Config{Mode: socket.ModePrivate,
		DNS: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:1")}})
	outside := t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if b, err := os.ReadFile(filepath.Join(outside, "secret")); err != nil || string(b) != secret {
			t.Errorf("the file outside is now %q, %v", b, err)
		}
	})
	tr, err := tree.New(tree.Config{Root: g.TempDir(), Upper: filepath.Join(g.TempDir(), "up")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tr.Close() })
	g.h.table.get(3).dir.Close()
	g.h.table.get(3).dir = tr.Root()
	g.write(g.open("file", openCreat, readWrite, 0), "content")
	g.open(".", openDirectory, 0, 0)
	l, c, s := g.connection()
	u := g.socket(familyInet4, sockDgram)
	for _, fd := range []uint64{0, 1, 2, l, c, s, u} {
		g.ok("fd_fdstat_set_flags", fd, uint64(flagNonBlock))
	}
	return g
}

// tame changes what would leave the machine or wait for ever: addresses become
// loopback, sockets non-blocking, a poll gets a clock that has struck, and what
// is allocated on the disk stays small.
func tame(h *Host, m memory, name string, p []uint64) {
	for _, d := range h.table.slots {
		if d != nil && d.sock != nil {
			d.sock.NonBlock = true
		}
	}
	at := -1
	switch name {
	case "sock_connect", "sock_connect_v2", "sock_bind", "sock_bind_v2":
		at = 1
	case "sock_send_to", "sock_send_to_v2":
		at = 3
	case "fd_allocate":
		p[1], p[2] = p[1]%(1<<20), p[2]%(1<<20)
	case "poll_oneoff", "epoll_oneoff":
		if b, inside := m.bytes(uint32(p[0]), subscriptionSize); inside {
			clear(b)
		}
		return
	}
	if at < 0 {
		return
	}
	if b, e := m.buffer(uint32(p[at])); e == ok {
		switch len(b) {
		case 4:
			copy(b, []byte{127, 0, 0, 1})
		case 16:
			copy(b, netip.IPv6Loopback().AsSlice())
		case storageSize:
			if b[0] = familyInet4; b[2]%2 == 0 {
				b[0] = familyInet6
			}
			if copy(b[2:], netip.IPv6Loopback().AsSlice()); b[0] == familyInet4 {
				copy(b[2:], []byte{127, 0, 0, 1})
			}
		}
	}
}

// TestHostilePointers calls every function with every parameter at the edges.
func TestHostilePointers(t *testing.T) {
	edges := []uint64{0, 1, 3, 4, memorySize - 1, memorySize, 1<<31 - 1, 1 << 31, 1<<32 - 1, 1<<64 - 1}
	rng := rand.New(rand.NewPCG(1, 2))
	for _, name := range slices.Sorted(maps.Keys(functions)) {
		for _, f := range functions[name] {
			t.Run(name, func(t *testing.T) {
				g := hostile(t)
				for range 300 {
					p := make([]uint64, len(f.params))
					for i := range p {
						p[i] = edges[rng.IntN(len(edges))]
					}
					if len(p) > 0 {
						p[0] = uint64(rng.IntN(12))
					}
					tame(g.h, g.mem, name, p)
					if _, err := g.try(name, p...); err != nil && f.end == nil {
						t.Fatalf("%s%v: %v", name, p, err)
					}
				}
				if bytes.Contains(g.mem, []byte(secret)) {
					t.Fatal("the guest read a file outside")
				}
			})
		}
	}
}
