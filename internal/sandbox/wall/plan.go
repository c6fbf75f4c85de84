//go:build linux

package wall

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"
)

// Plan is what a process does to close itself in, in order.
type Plan struct {
	Steps []Step
	// Clone is what must be so when the process is made, where the one who runs
	// the plan cannot fork (Host.CanFork).
	Clone Clone
	// Maps are the user namespace's mappings for whoever reads an Ask.
	Maps Maps
}

// Clone says in which namespaces a process is to be made.
type Clone struct {
	// Flags are those of clone(2) for new namespaces.
	Flags uintptr
	// Join are existing ones, in order.
	Join []Join
	// Maps are a new user namespace's.
	Maps Maps
}

// Join is a namespace to join.
type Join struct {
	// Flag is the namespace's kind (setns(2)); Kind its name.
	Flag int
	Kind string
	Path string
}

// Maps are the id mappings of a new user namespace, in the lines of
// /proc/PID/uid_map (user_namespaces(7)).
type Maps struct {
	UID, GID string
}

// Op is what a step does.
type Op uint16

// The operations.
const (
	// Call makes a system call.
	Call Op = iota
	// Fork goes on in a child of the same parent and ends this process. Args[0]
	// are more flags of clone(2).
	Fork
	// Ask lets the other side do something, such as writing Maps, and waits for
	// its word.
	Ask
	// Rest says that all is done and then only waits until the other side has
	// gone. It is a plan's last step.
	Rest
)

// Step is one step of a plan.
type Step struct {
	Op Op
	// Name is the system call's, for people; Number is the machine's.
	Name   string
	Number uintptr
	Args   []Arg
	// Out is the register that takes the result, where that is named.
	Out Register
	// Optional says that a failure is passed over, together with the next Skip
	// steps.
	Optional bool
	Skip     int
	// Thread says that the call concerns the calling thread alone.
	Thread bool
	// What says what the step is for, in words that complete "cannot …".
	What string
}

// Register names the result of a step; the zero value is none.
type Register int

// Arg is an argument of a call: a number, a register's content, or the address
// of a blob, which is followed by a zero byte.
type Arg struct {
	Number   uint64
	Register Register
	Blob     []byte
	isBlob   bool
	// poke says that a register is written into the blob at offset at.
	poke Register
	at   int
}

func num[T ~int | ~int32 | ~uint32 | ~uint64 | ~uintptr](n T) Arg { return Arg{Number: uint64(n)} }
func str(s string) Arg                                            { return Arg{Blob: []byte(s), isBlob: true} }
func blob(b []byte) Arg                                           { return Arg{Blob: b, isBlob: true} }
func reg(r Register) Arg                                          { return Arg{Register: r} }

// null is a pointer to nothing.
var null = Arg{}

// cwd is the argument for paths that are absolute or relative to the working
// directory.
var cwd = num(unix.AT_FDCWD)

// Bounds of an encoded plan. Package enter holds the same ones.
const (
	MaxSteps     = 8192
	MaxBlobs     = 2 << 20 // bytes
	MaxRegisters = 64
)

// Magic begins an encoded plan: "why1" in the order of the machine.
const Magic = 0x31796877

// Sizes of the encoded form, in bytes.
const (
	HeaderSize = 12
	StepSize   = 72
	AnswerSize = 12
)

// Kinds of answers to a plan: 4 bytes of kind, 4 of the step's number, 4 of an
// errno.
const (
	AnswerDone   = 1
	AnswerFailed = 2
	AnswerAsk    = 3
)

// Kinds of arguments in the encoded form.
const (
	ArgNumber = iota
	ArgRegister
	ArgBlob
	ArgPoked
)

// Encode gives the form in which a plan is sent, in the byte order of the
// machine: a header of magic, number of steps and length of the blobs; the
// steps; the blobs.
//
//	step:  op u16, optional u8, thread u8, skip u16, out i16, number u32,
//	       kinds 6 × u8, 6 bytes of nothing, arguments 6 × u64
//
// An argument's kind is 0 for a number, 1 for a register, 2 for a blob by its
// place, 3 for a blob in which a register is written first, as 32 bits: the
// blob's place in the lower 32 bits, the offset in it in the next 16, the
// register above.
func (p *Plan) Encode() ([]byte, error) {
	e := encoder{places: map[string]uint64{}}
	if len(p.Steps) > MaxSteps {
		return nil, fmt.Errorf("the container's walls take %d steps, %d are possible: give it fewer mounts: %w", len(p.Steps), MaxSteps, errdefs.ErrInvalidArgument)
	}
	order := binary.NativeEndian
	body := make([]byte, 0, len(p.Steps)*StepSize)
	for _, s := range p.Steps {
		if len(s.Args) > 6 || s.Skip > math.MaxUint16 || s.Out > MaxRegisters {
			return nil, fmt.Errorf("%s has %d arguments, skips %d steps, names register %d: %w", s.Name, len(s.Args), s.Skip, s.Out, errdefs.ErrInternal)
		}
		body = order.AppendUint16(body, uint16(s.Op))
		body = append(body, truth(s.Optional), truth(s.Thread))
		body = order.AppendUint16(body, uint16(s.Skip))
		body = order.AppendUint16(body, uint16(int16(s.Out)))
		body = order.AppendUint32(body, uint32(s.Number))
		var kinds [12]byte
		var args [6]uint64
		for i, a := range s.Args {
			switch {
			case a.isBlob && a.poke != 0:
				kinds[i], args[i] = ArgPoked, e.place(a)|uint64(a.at)<<32|uint64(a.poke)<<48
			case a.isBlob:
				kinds[i], args[i] = ArgBlob, e.place(a)
			case a.Register != 0:
				kinds[i], args[i] = ArgRegister, uint64(a.Register)
			default:
				args[i] = a.Number
			}
		}
		body = append(body, kinds[:]...)
		for _, a := range args {
			body = order.AppendUint64(body, a)
		}
	}
	if len(e.blobs) > MaxBlobs {
		return nil, fmt.Errorf("the container's walls take %d bytes of paths, %d are possible: give it fewer mounts: %w", len(e.blobs), MaxBlobs, errdefs.ErrInvalidArgument)
	}
	out := order.AppendUint32(make([]byte, 0, HeaderSize+len(body)+len(e.blobs)), Magic)
	out = order.AppendUint32(out, uint32(len(p.Steps)))
	out = order.AppendUint32(out, uint32(len(e.blobs)))
	return append(append(out, body...), e.blobs...), nil
}

func truth(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// encoder collects blobs; those that are alike and not written to share a
// place.
type encoder struct {
	blobs  []byte
	places map[string]uint64
}

func (e *encoder) place(a Arg) uint64 {
	if at, ok := e.places[string(a.Blob)]; ok && a.poke == 0 {
		return at
	}
	for len(e.blobs)%8 != 0 {
		e.blobs = append(e.blobs, 0)
	}
	at := uint64(len(e.blobs))
	e.blobs = append(append(e.blobs, a.Blob...), 0)
	if a.poke == 0 {
		e.places[string(a.Blob)] = at
	}
	return at
}

// Failure words the failure of a step by its number.
func (p *Plan) Failure(step int, errno unix.Errno) error {
	if step < 0 || step >= len(p.Steps) {
		return fmt.Errorf("the container's walls failed at a step that they do not have: %w", errno)
	}
	s := p.Steps[step]
	class := error(errdefs.ErrFailedPrecondition)
	if errno == unix.EPERM || errno == unix.EACCES {
		class = errdefs.ErrPermissionDenied
	}
	return &Error{What: s.What, Call: s.Name, Errno: errno, class: class}
}

// Error is a wall that could not be built.
type Error struct {
	// What was to be done, Call the system call's name.
	What, Call string
	Errno      unix.Errno
	class      error
}

func (e *Error) Error() string { return "cannot " + e.What + ": " + e.Errno.Error() }

// Unwrap gives the errno and the class.
func (e *Error) Unwrap() []error { return []error{e.Errno, e.class} }

// String lists a plan's steps, a line each.
func (p *Plan) String() string {
	var b strings.Builder
	for _, j := range p.Clone.Join {
		fmt.Fprintf(&b, "join %s %s\n", j.Kind, j.Path)
	}
	if p.Clone.Flags != 0 {
		fmt.Fprintf(&b, "clone %#x uid_map %q gid_map %q\n", p.Clone.Flags, p.Clone.Maps.UID, p.Clone.Maps.GID)
	}
	for _, s := range p.Steps {
		if s.Out != 0 {
			fmt.Fprintf(&b, "r%d = ", s.Out)
		}
		b.WriteString(s.Name + "(")
		for i, a := range s.Args {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(a.String())
		}
		b.WriteString(")")
		if s.Optional {
			fmt.Fprintf(&b, " or skip %d", s.Skip)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// String writes an argument as a reader wants it.
func (a Arg) String() string {
	switch {
	case a.Register != 0:
		return fmt.Sprintf("r%d", a.Register)
	case a.isBlob && printable(a.Blob):
		return fmt.Sprintf("%q", a.Blob)
	case a.isBlob && a.poke != 0:
		return fmt.Sprintf("%x[%d]=r%d", a.Blob, a.at, a.poke)
	case a.isBlob:
		return fmt.Sprintf("%x", a.Blob)
	case int64(a.Number) == unix.AT_FDCWD:
		return "cwd"
	}
	return fmt.Sprintf("%#x", a.Number)
}

func printable(b []byte) bool {
	for _, c := range b {
		if (c < ' ' || c > '~') && c != '\n' {
			return false
		}
	}
	return len(b) > 0
}
