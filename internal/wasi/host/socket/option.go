//go:build linux

package socket

import (
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Option is a socket option of level SOL_SOCKET with an integer value.
type Option int

// The options that the kernel keeps for us.
const (
	ReuseAddr    Option = unix.SO_REUSEADDR
	DontRoute    Option = unix.SO_DONTROUTE
	Broadcast    Option = unix.SO_BROADCAST
	SendBuffer   Option = unix.SO_SNDBUF
	ReceiveBuf   Option = unix.SO_RCVBUF
	KeepAlive    Option = unix.SO_KEEPALIVE
	OOBInline    Option = unix.SO_OOBINLINE
	ReceiveLowat Option = unix.SO_RCVLOWAT
)

// SetOption sets an integer option. On an inherited descriptor it is accepted
// and has no effect on the parent's, which shares the socket.
func (s *Socket) SetOption(o Option, value int) error {
	if o == DontRoute && value != 0 && s.net.routes != nil {
		return unix.EPERM // where an address lies was judged by the host's routes
	}
	if s.inherited && (o == SendBuffer || o == ReceiveBuf || o == ReceiveLowat || o == ReuseAddr) {
		return nil
	}
	return unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, int(o), value)
}

// GetOption reads an integer option.
func (s *Socket) GetOption(o Option) (int, error) {
	return unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, int(o))
}

// SetLinger sets SO_LINGER: how long closing waits for data to go out.
func (s *Socket) SetLinger(on bool, seconds int32) error {
	l := unix.Linger{Linger: seconds}
	if on {
		l.Onoff = 1
	}
	return unix.SetsockoptLinger(s.fd, unix.SOL_SOCKET, unix.SO_LINGER, &l)
}

// Linger reads SO_LINGER.
func (s *Socket) Linger() (on bool, seconds int32, err error) {
	var l unix.Linger
	size := uint32(unix.SizeofLinger)
	_, _, e := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(s.fd), unix.SOL_SOCKET, unix.SO_LINGER,
		uintptr(unsafe.Pointer(&l)), uintptr(unsafe.Pointer(&size)), 0)
	return l.Onoff != 0, l.Linger, result(e)
}

// TakeError reports the error that is waiting, and forgets it (SO_ERROR).
func (s *Socket) TakeError() (unix.Errno, error) {
	if e := s.fault; e != 0 {
		s.fault = 0
		return e, nil
	}
	n, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if n != 0 && s.state == connecting {
		s.state, s.peer = fresh, netip.AddrPort{} // another attempt may follow
	}
	return unix.Errno(n), err
}

// SetTimeouts sets how long a waiting call waits; 0 is for ever, and a negative
// value leaves the timeout as it is.
func (s *Socket) SetTimeouts(receive, send time.Duration) {
	if receive >= 0 {
		s.rcvTimeout = receive
	}
	if send >= 0 {
		s.sndTimeout = send
	}
}

// Timeouts tells how long waiting calls wait.
func (s *Socket) Timeouts() (receive, send time.Duration) {
	return s.rcvTimeout, s.sndTimeout
}
