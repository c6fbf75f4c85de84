//go:build linux

package socket

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"wherry/internal/wasi/host"
)

// TestOutside connects to a service in private and in host mode.
func TestOutside(t *testing.T) {
	for mode, n := range map[string]*Network{"private": outwards(t, Config{}), "host": newNetwork(t, Config{Mode: ModeHost})} {
		t.Run(mode, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			payload := bytes.Repeat([]byte("0123456789abcdef"), 1<<18) // 4 MiB, more than the kernel buffers
			echoed := make(chan error, 1)
			go func() {
				c, err := l.Accept()
				if err == nil {
					_, err = io.Copy(c, c)
					c.Close()
				}
				echoed <- err
			}()
			s := open(t, n, IPv4, Stream)
			s.NonBlock = true
			at := l.Addr().(*net.TCPAddr).AddrPort()
			if err := s.Connect(at); err != nil && err != unix.EINPROGRESS {
				t.Fatal(err)
			}
			pollFor(t, s, unix.POLLOUT)
			if e, err := s.TakeError(); e != 0 || err != nil {
				t.Fatal(e, err)
			}
			if peer, err := s.PeerAddr(); err != nil || peer != at {
				t.Errorf("peer %v, %v", peer, err)
			}
			if err := s.Connect(at); err != nil && err != unix.EISCONN {
				t.Errorf("connecting again: %v", err)
			}
			got := exchangeAll(t, s, payload)
			if !bytes.Equal(got, payload) {
				t.Errorf("%d bytes came back changed", len(got))
			}
			if err := <-echoed; err != nil {
				t.Error(err)
			}
		})
	}
}

// exchangeAll sends everything, reading what comes back meanwhile.
func exchangeAll(t *testing.T, s *Socket, payload []byte) (back []byte) {
	t.Helper()
	rest, b := payload, make([]byte, 64<<10)
	for {
		if len(rest) > 0 {
			n, err := s.Send(vec(rest), netip.AddrPort{})
			if err != nil && err != unix.EAGAIN {
				t.Fatal(err)
			}
			if rest = rest[n:]; len(rest) == 0 {
				check(t, s.Shutdown(WriteEnd), nil)
			}
		}
		got, err := s.Receive(vec(b), false, false)
		switch {
		case err == unix.EAGAIN && len(rest) > 0:
			pollFor(t, s, unix.POLLIN|unix.POLLOUT)
		case err == unix.EAGAIN:
			pollFor(t, s, unix.POLLIN)
		case err != nil:
			t.Fatal(err)
		case got.N == 0:
			return back
		}
		back = append(back, b[:got.N]...)
	}
}

func pollFor(t *testing.T, s *Socket, events int16) {
	t.Helper()
	n, err := host.Poll([]unix.PollFd{{Fd: int32(s.PollFD()), Events: events}}, 20*time.Second)
	if err != nil || n != 1 {
		t.Fatalf("poll: %d, %v", n, err)
	}
}

func TestRefusedOutside(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().(*net.TCPAddr).AddrPort()
	l.Close()
	n := outwards(t, Config{})
	check(t, open(t, n, IPv4, Stream).Connect(at), unix.ECONNREFUSED)
	check(t, open(t, n, IPv4, Stream).Connect(addr("[::1]:1")), unix.EAFNOSUPPORT)

	// A socket that was refused can try another address.
	live, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	s := open(t, n, IPv4, Stream)
	s.NonBlock = true
	if err := s.Connect(at); err == unix.EINPROGRESS {
		pollFor(t, s, unix.POLLOUT)
		if e, err := s.TakeError(); e != unix.ECONNREFUSED || err != nil {
			t.Fatal(e, err)
		}
	} else {
		check(t, err, unix.ECONNREFUSED)
	}
	s.NonBlock = false
	to := live.Addr().(*net.TCPAddr).AddrPort()
	err = s.Connect(to)
	if err == unix.ECONNABORTED { // Linux tells once more of the first attempt
		err = s.Connect(to)
	}
	check(t, err, nil)
}

// TestOnlyAnswers shows that an unpublished socket hears only whom it asked.
func TestOnlyAnswers(t *testing.T) {
	n := outwards(t, Config{})
	peer, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	stranger, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	s := bound(t, n, Datagram, "0.0.0.0:5000")
	send(t, s, "ask", peer.LocalAddr().(*net.UDPAddr).AddrPort())
	b := make([]byte, 16)
	_, back, err := peer.ReadFrom(b)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []struct {
		c    net.PacketConn
		text string
	}{{stranger, "intrusion"}, {peer, "answer"}} {
		if _, err := m.c.WriteTo([]byte(m.text), back); err != nil {
			t.Fatal(err)
		}
	}
	pollFor(t, s, unix.POLLIN)
	got, err := s.Receive(vec(b), true, false)
	if err != nil || string(b[:got.N]) != "answer" {
		t.Fatalf("peeked %q, %v", b[:got.N], err)
	}
	receive(t, s, "answer")
}

func TestTimeouts(t *testing.T) {
	n := newNetwork(t, Config{Mode: ModePrivate})
	l := listenAt(t, n, "127.0.0.1:80")
	c := open(t, n, IPv4, Stream)
	check(t, c.Connect(addr("127.0.0.1:80")), nil)
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.SetTimeouts(10*time.Millisecond, -1)
	start := time.Now()
	_, err = s.Receive(vec(make([]byte, 1)), false, false)
	check(t, err, unix.EAGAIN)
	if time.Since(start) < 10*time.Millisecond {
		t.Error("did not wait for the timeout")
	}
	l.SetTimeouts(time.Millisecond, -1)
	_, err = l.Accept()
	check(t, err, unix.EAGAIN)

	send(t, c, "ab", netip.AddrPort{})
	send(t, c, "cd", netip.AddrPort{})
	b := make([]byte, 4)
	if got, err := s.Receive(vec(b), true, false); err != nil || got.N == 0 {
		t.Errorf("peek: %+v, %v", got, err)
	}
	if got, err := s.Receive(vec(b), false, true); err != nil || string(b[:got.N]) != "abcd" {
		t.Errorf("waited for all and got %q, %v", b[:got.N], err)
	}
}

func TestOptions(t *testing.T) {
	n := newNetwork(t, Config{Mode: ModePrivate})
	s := open(t, n, IPv4, Stream)
	for _, o := range []Option{ReuseAddr, KeepAlive} {
		check(t, s.SetOption(o, 1), nil)
		if v, err := s.GetOption(o); err != nil || v != 1 {
			t.Errorf("option %d is %d, %v", o, v, err)
		}
	}
	check(t, s.SetLinger(true, 7), nil)
	if on, seconds, err := s.Linger(); !on || seconds != 7 || err != nil {
		t.Errorf("linger %v %d %v", on, seconds, err)
	}
	check(t, s.Shutdown(0), unix.EINVAL)
	check(t, s.Shutdown(ReadEnd), unix.ENOTCONN)
}
