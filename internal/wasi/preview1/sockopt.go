//go:build linux

package preview1

import (
	"encoding/binary"
	"math"
	"time"

	"golang.org/x/sys/unix"
	"wherry/internal/wasi/host/socket"
)

// Socket options of WasmEdge (api.hpp, __wasi_sock_opt_so_t), all of the level
// SOL_SOCKET, which is 0.
const (
	soReuseaddr = iota
	soType
	soError
	soDontroute
	soBroadcast
	soSndbuf
	soRcvbuf
	soKeepalive
	soOobinline
	soLinger
	soRcvlowat
	soRcvtimeo
	soSndtimeo
	soAcceptconn
	soBindtodevice
)

// intOptions are the options that are a number to the kernel too.
var intOptions = map[uint32]socket.Option{
	soReuseaddr: socket.ReuseAddr, soDontroute: socket.DontRoute, soBroadcast: socket.Broadcast,
	soSndbuf: socket.SendBuffer, soRcvbuf: socket.ReceiveBuf, soKeepalive: socket.KeepAlive,
	soOobinline: socket.OOBInline, soRcvlowat: socket.ReceiveLowat,
}

// sockSetsockopt: (fd, level, name, value, size).
func (h *Host) sockSetsockopt(m memory, a args) errno {
	d, e := h.socket(a.u32(0), 0)
	if e != ok {
		return e
	}
	if a.u32(1) != 0 {
		return errNoprotoopt
	}
	b, inside := m.bytes(a.u32(3), a.u32(4))
	if !inside {
		return errFault
	}
	name := a.u32(2)
	if o, found := intOptions[name]; found {
		if len(b) < 4 {
			return errInval
		}
		return toErrno(d.sock.SetOption(o, int(int32(binary.LittleEndian.Uint32(b)))))
	}
	switch name {
	case soLinger:
		if len(b) < 8 {
			return errInval
		}
		return toErrno(d.sock.SetLinger(binary.LittleEndian.Uint32(b) != 0, int32(binary.LittleEndian.Uint32(b[4:]))))
	case soRcvtimeo, soSndtimeo:
		timeout, e := parseTimeval(b)
		if e != ok {
			return e
		}
		if name == soRcvtimeo {
			d.sock.SetTimeouts(timeout, -1)
		} else {
			d.sock.SetTimeouts(-1, timeout)
		}
		return ok
	case soBindtodevice:
		return toErrno(unix.EPERM)
	}
	return errNoprotoopt // also for what can only be read
}

// sockGetsockopt: (fd, level, name, value, *size).
func (h *Host) sockGetsockopt(m memory, a args) errno {
	d, e := h.socket(a.u32(0), 0)
	if e != ok {
		return e
	}
	if a.u32(1) != 0 {
		return errNoprotoopt
	}
	size, inside := m.u32(a.u32(4))
	if !inside {
		return errFault
	}
	b, inside := m.bytes(a.u32(3), size)
	if !inside {
		return errFault
	}
	value, e := getOption(d.sock, a.u32(2))
	if e != ok {
		return e
	}
	if len(b) < len(value) {
		return errInval
	}
	copy(b, value)
	return m.putU32(a.u32(4), uint32(len(value)))
}

// getOption reads an option in the form that the guest gets it.
func getOption(s *socket.Socket, name uint32) ([]byte, errno) {
	if o, found := intOptions[name]; found {
		n, err := s.GetOption(o)
		return number(n), toErrno(err)
	}
	switch name {
	case soType:
		if s.Type() == socket.Datagram {
			return number(sockDgram), ok
		}
		return number(sockStream), ok
	case soError:
		pending, err := s.TakeError()
		if err != nil {
			return nil, toErrno(err)
		}
		if pending == 0 {
			return number(0), ok
		}
		return number(int(toErrno(pending))), ok
	case soAcceptconn:
		if s.Listening() {
			return number(1), ok
		}
		return number(0), ok
	case soLinger:
		on, seconds, err := s.Linger()
		value := number(0)
		if on {
			value = number(1)
		}
		return append(value, number(int(seconds))...), toErrno(err)
	case soRcvtimeo:
		timeout, _ := s.Timeouts()
		return timeval(timeout), ok
	case soSndtimeo:
		_, timeout := s.Timeouts()
		return timeval(timeout), ok
	case soBindtodevice:
		return nil, ok // bound to none
	}
	return nil, errNoprotoopt
}

func number(n int) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(n)) }

// timeval writes wasi-libc's struct timeval: two numbers of eight bytes.
func timeval(d time.Duration) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(d/time.Second))
	return binary.LittleEndian.AppendUint64(b, uint64(d%time.Second/time.Microsecond))
}

// parseTimeval reads it. Of the microseconds only the lower half counts: in
// older libraries the upper is padding.
func parseTimeval(b []byte) (time.Duration, errno) {
	if len(b) < 16 {
		return 0, errInval
	}
	seconds := int64(binary.LittleEndian.Uint64(b))
	micros := int32(binary.LittleEndian.Uint32(b[8:]))
	if micros < 0 || micros >= 1e6 {
		return 0, toErrno(unix.EDOM)
	}
	if seconds < 0 {
		seconds, micros = 0, 0
	}
	if seconds > math.MaxInt64/int64(time.Second)-1 {
		return 0, ok // longer than anybody waits
	}
	return time.Duration(seconds)*time.Second + time.Duration(micros)*time.Microsecond, ok
}
