//go:build linux

package socket

import (
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"

	"wherry/internal/wasi/host"
)

// Received is what Receive tells beside the bytes.
type Received struct {
	// N is how many bytes were stored.
	N int
	// From is where a datagram came from.
	From netip.AddrPort
	// Truncated says that a datagram was longer than the buffers.
	Truncated bool
}

// Receive reads into the buffers, which it may change (recvmsg(2)). peek leaves
// the data where it is; all waits until the buffers of a stream are full.
func (s *Socket) Receive(v []unix.Iovec, peek, all bool) (Received, error) {
	if s.typ == Datagram {
		return s.receiveGram(v, peek)
	}
	if err := s.takeFault(); err != nil {
		return Received{}, err
	}
	flags := 0
	if peek {
		flags, all = unix.MSG_PEEK, false
	}
	got := Received{From: s.peer}
	for {
		n, _, err := sysMessage(unix.SYS_RECVMSG, s.fd, v, nil, flags|unix.MSG_DONTWAIT)
		got.N += n
		switch {
		case err == unix.EAGAIN && !s.NonBlock:
			err = s.wait(unix.POLLIN)
		case err == nil && all && n > 0:
			v = host.Advance(v, n)
		case err == nil:
			return got, nil
		}
		if err != nil && got.N == 0 {
			return got, err
		}
		if err != nil || got.N > 0 && len(v) == 0 {
			return got, nil
		}
	}
}

// receiveGram takes a datagram, from the guest itself or from outside.
func (s *Socket) receiveGram(v []unix.Iovec, peek bool) (Received, error) {
	for {
		if err := s.takeFault(); err != nil {
			return Received{}, err
		}
		if got, ok := s.takeGram(v, peek); ok {
			return got, nil
		}
		if s.shut&ReadEnd != 0 {
			return Received{}, nil
		}
		got, err := s.receiveOutside(v, peek)
		if err != unix.EAGAIN || s.NonBlock {
			return got, err
		}
		if err := s.wait(unix.POLLIN); err != nil {
			return Received{}, err
		}
	}
}

// receiveOutside takes datagrams from the kernel until one is for the guest.
func (s *Socket) receiveOutside(v []unix.Iovec, peek bool) (Received, error) {
	for {
		a := sockaddr{len: unix.SizeofSockaddrInet6}
		flags := unix.MSG_DONTWAIT
		if peek {
			flags |= unix.MSG_PEEK
		}
		n, msgFlags, err := sysMessage(unix.SYS_RECVMSG, s.fd, v, &a, flags)
		if err != nil {
			return Received{}, err
		}
		from := a.decode()
		if s.inherited || s.family == IPv4 {
			from = unmap(from)
		}
		if s.expects(from) {
			if s.answers() {
				if err := s.remember(from); err != nil {
					return Received{}, err
				}
			}
			return Received{N: n, From: from, Truncated: msgFlags&unix.MSG_TRUNC != 0}, nil
		}
		if peek { // drop what was only looked at
			if _, _, err := sysMessage(unix.SYS_RECVMSG, s.fd, nil, nil, unix.MSG_DONTWAIT); err != nil {
				return Received{}, err
			}
		}
	}
}

// expects tells whether a datagram from outside is for the guest: on a
// published port any is, on another only an answer, and on a connected socket
// only what the peer sends.
func (s *Socket) expects(from netip.AddrPort) bool {
	if s.state == connected {
		return unmap(s.peer) == unmap(from)
	}
	if !s.virtual() || s.inherited {
		return true
	}
	return s.knows(from)
}

// scatter copies data into buffers.
func scatter(v []unix.Iovec, data []byte) int {
	n := 0
	for i := range v {
		n += copy(unsafe.Slice(v[i].Base, int(v[i].Len)), data[n:])
	}
	return n
}

// gather appends the content of buffers.
func gather(out []byte, v []unix.Iovec) []byte {
	for i := range v {
		out = append(out, unsafe.Slice(v[i].Base, int(v[i].Len))...)
	}
	return out
}
