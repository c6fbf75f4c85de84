//go:build linux

package preview1

import (
	"errors"

	"golang.org/x/sys/unix"
	"wherry/internal/wasi/host/socket"
	"wherry/internal/wasi/host/tree"
)

// errno is a WASI error number (typenames.witx, errno).
type errno uint16

// The error numbers that this package names itself.
const (
	ok             errno = 0
	errAcces       errno = 2
	errBadf        errno = 8
	errFault       errno = 21
	errInval       errno = 28
	errIO          errno = 29
	errIsdir       errno = 31
	errMfile       errno = 33
	errNametoolong errno = 37
	errNoprotoopt  errno = 50
	errNosys       errno = 52
	errNotdir      errno = 54
	errNotsock     errno = 57
	errNotsup      errno = 58
	errOverflow    errno = 61
	errSpipe       errno = 70
	errNotcapable  errno = 76
)

// Errors of sock_getaddrinfo, which are WasmEdge's own (api.hpp).
const (
	errAIAgain   errno = 78
	errAIBadFlag errno = 79
	errAIFail    errno = 80
	errAIFamily  errno = 81
	errAIMemory  errno = 82
	errAINoName  errno = 84
	errAIService errno = 85
)

// fromLinux maps Linux's error numbers. What has no counterpart is errIO.
var fromLinux = map[unix.Errno]errno{
	unix.E2BIG: 1, unix.EACCES: 2, unix.EADDRINUSE: 3, unix.EADDRNOTAVAIL: 4, unix.EAFNOSUPPORT: 5,
	unix.EAGAIN: 6, unix.EALREADY: 7, unix.EBADF: 8, unix.EBADMSG: 9, unix.EBUSY: 10, unix.ECANCELED: 11,
	unix.ECHILD: 12, unix.ECONNABORTED: 13, unix.ECONNREFUSED: 14, unix.ECONNRESET: 15, unix.EDEADLK: 16,
	unix.EDESTADDRREQ: 17, unix.EDOM: 18, unix.EDQUOT: 19, unix.EEXIST: 20, unix.EFAULT: 21, unix.EFBIG: 22,
	unix.EHOSTUNREACH: 23, unix.EIDRM: 24, unix.EILSEQ: 25, unix.EINPROGRESS: 26, unix.EINTR: 27,
	unix.EINVAL: 28, unix.EIO: 29, unix.EISCONN: 30, unix.EISDIR: 31, unix.ELOOP: 32, unix.EMFILE: 33,
	unix.EMLINK: 34, unix.EMSGSIZE: 35, unix.EMULTIHOP: 36, unix.ENAMETOOLONG: 37, unix.ENETDOWN: 38,
	unix.ENETRESET: 39, unix.ENETUNREACH: 40, unix.ENFILE: 41, unix.ENOBUFS: 42, unix.ENODEV: 43,
	unix.ENOENT: 44, unix.ENOEXEC: 45, unix.ENOLCK: 46, unix.ENOLINK: 47, unix.ENOMEM: 48, unix.ENOMSG: 49,
	unix.ENOPROTOOPT: 50, unix.ENOSPC: 51, unix.ENOSYS: 52, unix.ENOTCONN: 53, unix.ENOTDIR: 54,
	unix.ENOTEMPTY: 55, unix.ENOTRECOVERABLE: 56, unix.ENOTSOCK: 57, unix.EOPNOTSUPP: 58, unix.ENOTTY: 59,
	unix.ENXIO: 60, unix.EOVERFLOW: 61, unix.EOWNERDEAD: 62, unix.EPERM: 63, unix.EPIPE: 64, unix.EPROTO: 65,
	unix.EPROTONOSUPPORT: 66, unix.EPROTOTYPE: 67, unix.ERANGE: 68, unix.EROFS: 69, unix.ESPIPE: 70,
	unix.ESRCH: 71, unix.ESTALE: 72, unix.ETIMEDOUT: 73, unix.ETXTBSY: 74, unix.EXDEV: 75,
}

// toErrno gives the number of an error that a capability object returned.
func toErrno(err error) errno {
	if err == nil {
		return ok
	}
	var e unix.Errno
	switch {
	case errors.As(err, &e):
		if n, found := fromLinux[e]; found {
			return n
		}
	case errors.Is(err, tree.ErrNotCapable):
		return errNotcapable
	case errors.Is(err, socket.ErrNoName):
		return errAINoName
	case errors.Is(err, socket.ErrTryAgain):
		return errAIAgain
	case errors.Is(err, socket.ErrServer):
		return errAIFail
	}
	return errIO
}
