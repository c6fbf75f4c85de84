//go:build cgo && linux && (amd64 || arm64)

package bench

import (
	"errors"
	"io"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"wherry/internal/engine/engines"
	"wherry/internal/wasi/host/socket"
	"wherry/internal/wasi/preview1"
)

// BenchmarkSocketEcho times echoes of 64 bytes on every engine, beside the bare
// system calls from Go: over TCP and UDP with both ends in the guest, and over
// TCP with a peer on another thread, for which the guest waits. The guest's
// network has an allow list, so that judging each datagram is part of the cost.
// The figures are medians of rounds, one of each in turn, and their ratios to
// the bare calls.
func BenchmarkSocketEcho(b *testing.B) {
	text, err := os.ReadFile("testdata/wasi/echo.wat")
	if err != nil {
		b.Fatal(err)
	}
	wasm, err := engines.ParseText(text)
	if err != nil {
		b.Fatal(err)
	}
	names, hosts := []string{"bare"}, []caller{bareEcho(b)}
	for _, name := range engines.Names() {
		names, hosts = append(names, name), append(hosts, guestEcho(b, name, wasm))
	}
	for _, h := range hosts {
		must(b, h, "setup", int32(echoPeer(b)))
	}
	for _, c := range []struct {
		name  string
		count int32
	}{{"stream", 1000}, {"datagram", 1000}, {"peer", 500}} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				times := make([][]time.Duration, len(hosts))
				for i := range rounds + 1 {
					for h, host := range hosts {
						begin := time.Now()
						must(b, host, c.name, c.count)
						if i > 0 { // the first round warms caches
							times[h] = append(times[h], time.Since(begin))
						}
					}
				}
				bare := median(times[0])
				for h, name := range names {
					b.ReportMetric(float64(median(times[h]).Nanoseconds())/float64(c.count), name+"-ns")
					if h > 0 {
						b.ReportMetric(float64(median(times[h]))/float64(bare), name+"/bare")
					}
				}
			}
			b.ReportMetric(0, "ns/op") // of a round of everything, which says nothing
		})
	}
}

// echoPeer is a peer that sends back what it gets, on a thread of its own.
func echoPeer(b *testing.B) (port int) {
	b.Helper()
	l, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		b.Fatal(err)
	}
	if err := errors.Join(unix.Bind(l, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(l, 1)); err != nil {
		b.Fatal(err)
	}
	at, err := unix.Getsockname(l)
	if err != nil {
		b.Fatal(err)
	}
	go func() {
		runtime.LockOSThread()
		defer unix.Close(l)
		fd, _, err := unix.Accept4(l, unix.SOCK_CLOEXEC)
		if err != nil {
			return
		}
		defer unix.Close(fd)
		buf := make([]byte, 64)
		for {
			n, err := unix.Read(fd, buf)
			if n <= 0 || err != nil {
				return // the other end has closed
			}
			if _, err := unix.Write(fd, buf[:n]); err != nil {
				return
			}
		}
	}()
	return at.(*unix.SockaddrInet4).Port
}

// guestEcho is the guest on an engine.
func guestEcho(b *testing.B, name string, wasm []byte) caller {
	b.Helper()
	network, err := socket.New(socket.Config{Mode: socket.ModeHost, Connect: &[]string{"api.example.com:443", "127.0.0.0/8:*"}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { network.Close() })
	return guestOn(b, name, wasm, preview1.Config{Stdin: 0, Stdout: 1, Stderr: 2, Net: network})
}

// bareEcho makes the same calls on blocking descriptors.
func bareEcho(b *testing.B) caller {
	b.Helper()
	var client, server, peer, asker, replier int
	var at [2]unix.Sockaddr
	out, in := make([]byte, 64), make([]byte, 64)
	loopback := &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}
	open := func(typ int) int {
		fd, err := unix.Socket(unix.AF_INET, typ|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { unix.Close(fd) })
		return fd
	}
	bound := func(fd int) unix.Sockaddr {
		if err := unix.Bind(fd, loopback); err != nil {
			b.Fatal(err)
		}
		at, err := unix.Getsockname(fd)
		if err != nil {
			b.Fatal(err)
		}
		return at
	}
	dial := func(to unix.Sockaddr) int {
		fd := open(unix.SOCK_STREAM)
		if err := unix.Connect(fd, to); err != nil {
			b.Fatal(err)
		}
		return fd
	}
	setup := func(port int) {
		l := open(unix.SOCK_STREAM)
		to := bound(l)
		if err := unix.Listen(l, 16); err != nil {
			b.Fatal(err)
		}
		client = dial(to)
		fd, _, err := unix.Accept4(l, unix.SOCK_CLOEXEC)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { unix.Close(fd) })
		server = fd
		peer = dial(&unix.SockaddrInet4{Addr: loopback.Addr, Port: port})
		asker, replier = open(unix.SOCK_DGRAM), open(unix.SOCK_DGRAM)
		at[0], at[1] = bound(asker), bound(replier)
	}
	// echo sends and receives twice, on the two ends of a stream or as datagrams.
	echo := func(export string) error {
		switch export {
		case "peer":
			return pass(peer, peer, nil, out, in)
		case "stream":
			if err := pass(client, server, nil, out, in); err != nil {
				return err
			}
			return pass(server, client, nil, out, in)
		}
		if err := pass(asker, replier, at[1], out, in); err != nil {
			return err
		}
		return pass(replier, asker, at[0], out, in)
	}
	return func(export string, n ...int32) (int32, error) {
		if export == "setup" {
			setup(int(n[0]))
			return 0, nil
		}
		for range n[0] {
			if err := echo(export); err != nil {
				return 0, err
			}
		}
		return 0, nil
	}
}

// pass sends from one descriptor and receives on another.
func pass(from, to int, at unix.Sockaddr, out, in []byte) error {
	var err error
	if at == nil {
		_, err = unix.Write(from, out)
	} else {
		err = unix.Sendto(from, out, 0, at)
	}
	if err != nil {
		return err
	}
	n := 0
	if at == nil {
		n, err = unix.Read(to, in)
	} else {
		n, _, err = unix.Recvfrom(to, in, 0)
	}
	if err == nil && n != len(out) {
		err = io.ErrShortWrite
	}
	return err
}
