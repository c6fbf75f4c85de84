//go:build linux

package socket

import (
	"encoding/binary"
	"net/netip"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/sys/unix"

	"wherry/internal/wasi/host"
)

// dnsTimeout is how long one server has for one reply.
const dnsTimeout = 3 * time.Second

// exchange sends a question to one server and waits for its reply.
func exchange(server netip.AddrPort, t Type, packed []byte, id uint16, q dnsmessage.Question) (*dnsmessage.Message, error) {
	fd, err := dial(server, t)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	c := conn{fd: fd, deadline: time.Now().Add(dnsTimeout)}
	if t == Stream { // RFC 1035 4.2.2: two bytes of length first
		packed = append(binary.BigEndian.AppendUint16(nil, uint16(len(packed))), packed...)
	}
	if err := c.write(packed); err != nil {
		return nil, err
	}
	for {
		b, err := c.message(t)
		if err != nil {
			return nil, err
		}
		var m dnsmessage.Message
		if m.Unpack(b) == nil && matches(&m, id, q) {
			return &m, nil
		}
		if t == Stream {
			return nil, ErrServer
		}
	}
}

// conn is a descriptor with a deadline.
type conn struct {
	fd       int
	deadline time.Time
}

// message reads one reply.
func (c conn) message(t Type) ([]byte, error) {
	if t == Datagram {
		b := make([]byte, 4096)
		n, err := c.read(b)
		return b[:max(n, 0)], err
	}
	var size [2]byte
	if err := c.readFull(size[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint16(size[:]))
	return b, c.readFull(b)
}

func (c conn) readFull(b []byte) error {
	for len(b) > 0 {
		n, err := c.read(b)
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrServer
		}
		b = b[n:]
	}
	return nil
}

func (c conn) read(b []byte) (int, error) {
	for {
		n, err := unix.Read(c.fd, b)
		if err == unix.EAGAIN {
			if err = c.wait(unix.POLLIN); err == nil {
				continue
			}
		}
		if err != unix.EINTR {
			return n, err
		}
	}
}

func (c conn) write(b []byte) error {
	for len(b) > 0 {
		n, err := unix.SendmsgN(c.fd, b, nil, nil, unix.MSG_NOSIGNAL)
		if err == unix.EAGAIN {
			if err = c.wait(unix.POLLOUT); err == nil {
				continue
			}
		}
		if err != nil && err != unix.EINTR {
			return err
		}
		b = b[max(n, 0):]
	}
	return nil
}

func (c conn) wait(events int16) error {
	n, err := host.Poll([]unix.PollFd{{Fd: int32(c.fd), Events: events}}, max(time.Until(c.deadline), 0))
	if err == nil && n == 0 {
		err = ErrTryAgain
	}
	return err
}
