//go:build linux && !cgo

package enter

import (
	"encoding/binary"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"wherry/internal/sandbox/wall"
)

// CanFork says that plans are run while the process has one thread, so that
// they may fork, and make and join every kind of namespace themselves.
const CanFork = false

const (
	controlFD = 3
	exitSetup = 125
)

// Run has the plan of this process run. It ends the process where that fails,
// or where nobody is there.
func Run() (entered bool) {
	if _, err := unix.GetsockoptInt(controlFD, unix.SOL_SOCKET, unix.SO_TYPE); err != nil {
		return false
	}
	head := make([]byte, wall.HeaderSize)
	order := binary.NativeEndian
	if !take(head) || order.Uint32(head) != wall.Magic {
		os.Exit(exitSetup)
	}
	steps, size := order.Uint32(head[4:]), order.Uint32(head[8:])
	if steps > wall.MaxSteps || size > wall.MaxBlobs {
		os.Exit(exitSetup)
	}
	code, blobs := make([]byte, steps*wall.StepSize), make([]byte, size+1)
	if !take(code) || !take(blobs[:size]) {
		os.Exit(exitSetup)
	}
	r := runner{blobs: blobs}
	for i := uint32(0); i < steps; i++ {
		s := code[i*wall.StepSize:][:wall.StepSize]
		errno := r.perform(s, i)
		if optional := s[2] != 0; errno != 0 && !optional {
			say(wall.AnswerFailed, i, errno)
			os.Exit(exitSetup)
		}
		if errno != 0 {
			i += uint32(order.Uint16(s[4:]))
		}
	}
	say(wall.AnswerDone, steps, 0)
	return true
}

// take reads exactly what fits p.
func take(p []byte) bool {
	for len(p) > 0 {
		n, err := unix.Read(controlFD, p)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return false
		}
		p = p[n:]
	}
	return true
}

func say(kind, step uint32, errno unix.Errno) {
	order := binary.NativeEndian
	answer := order.AppendUint32(order.AppendUint32(order.AppendUint32(nil, kind), step), uint32(errno))
	if n, err := unix.Write(controlFD, answer); err != nil || n != len(answer) {
		os.Exit(exitSetup) // nobody is there
	}
}

// rest says that all is done, and waits until nobody is there any more.
func rest(steps uint32) {
	say(wall.AnswerDone, steps, 0)
	for word := make([]byte, 1); take(word); {
	}
	os.Exit(0)
}

// runner runs steps, with the results of those before.
type runner struct {
	blobs     []byte
	registers [wall.MaxRegisters + 1]uintptr
}

func (r *runner) perform(s []byte, number uint32) unix.Errno {
	order := binary.NativeEndian
	switch wall.Op(order.Uint16(s)) {
	case wall.Call:
	case wall.Rest:
		rest(number + 1)
	default:
		return unix.ENOSYS // wall.New makes no such step without CanFork
	}
	var a [6]uintptr
	for i := range a {
		v, ok := r.value(s[12+i], order.Uint64(s[24+8*i:]))
		if !ok {
			return unix.EBADMSG
		}
		a[i] = v
	}
	call := syscall.RawSyscall6
	if thread := s[3] != 0; thread {
		call = syscall.AllThreadsSyscall6
	}
	got, _, errno := call(uintptr(order.Uint32(s[8:])), a[0], a[1], a[2], a[3], a[4], a[5])
	if out := int16(order.Uint16(s[6:])); out > 0 && out <= wall.MaxRegisters {
		r.registers[out] = got
	}
	return errno
}

// value gives an argument; ok is false where the plan is damaged.
func (r *runner) value(kind byte, v uint64) (_ uintptr, ok bool) {
	at := v & 0xffffffff
	switch kind {
	case wall.ArgNumber:
		return uintptr(v), true
	case wall.ArgRegister:
		if v < 1 || v > wall.MaxRegisters {
			return 0, false
		}
		return r.registers[v], true
	case wall.ArgPoked:
		to, from := at+v>>32&0xffff, v>>48
		if from < 1 || from > wall.MaxRegisters || to+4 > uint64(len(r.blobs)) {
			return 0, false
		}
		binary.NativeEndian.PutUint32(r.blobs[to:], uint32(r.registers[from]))
	case wall.ArgBlob:
	default:
		return 0, false
	}
	if at >= uint64(len(r.blobs)) {
		return 0, false
	}
	// The blobs are reachable through r for as long as the call takes, and the
	// heap does not move.
	return uintptr(unsafe.Pointer(&r.blobs[at])), true
}
