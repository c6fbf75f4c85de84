//go:build linux

package preview1

import (
	"runtime"

	"wherry/internal/wasi/host"
)

// clockResGet: (id, *resolution).
func (h *Host) clockResGet(m memory, a args) errno {
	ns, err := host.Resolution(host.Clock(a.u32(0)))
	if err != nil {
		return toErrno(err)
	}
	return m.putU64(a.u32(1), ns)
}

// clockTimeGet: (id, precision, *time).
func (h *Host) clockTimeGet(m memory, a args) errno {
	ns, err := host.Now(host.Clock(a.u32(0)))
	if err != nil {
		return toErrno(err)
	}
	return m.putU64(a.u32(2), ns)
}

// randomGet: (buf, len).
func (h *Host) randomGet(m memory, a args) errno {
	b, inside := m.bytes(a.u32(0), a.u32(1))
	if !inside {
		return errFault
	}
	return toErrno(host.Random(b))
}

// schedYield: ().
func (h *Host) schedYield(memory, args) errno {
	runtime.Gosched()
	return ok
}

// raise answers proc_raise: the signals whose action is to end a process end
// the guest with 128 plus Linux's number of the signal, those that are ignored
// do nothing, and stopping is not supported.
func raise(signal uint32) (errno, error) {
	const none, chld, cont, stop, ttou, urg, winch, sys = 0, 16, 17, 18, 21, 22, 27, 30
	switch {
	case signal == none, signal == chld, signal == cont, signal == urg, signal == winch:
		return ok, nil
	case signal > sys:
		return errInval, nil
	case signal >= stop && signal <= ttou:
		return errNotsup, nil
	}
	if signal >= chld { // Linux has SIGSTKFLT before it
		signal++
	}
	return ok, &ExitError{Code: 128 + signal}
}
