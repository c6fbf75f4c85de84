//go:build linux

package seccomp

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"golang.org/x/sys/unix"
)

// Where the kernel puts what a filter sees (struct seccomp_data of
// linux/seccomp.h), in bytes.
const (
	offsetNumber = 0
	offsetArch   = 4
	offsetArgs   = 16
)

// maxInstructions is the longest program that the kernel takes (BPF_MAXINSNS).
const maxInstructions = 4096

// verdict is what the kernel does with a call (SECCOMP_RET_* of seccomp(2)).
type verdict uint32

const (
	allow verdict = unix.SECCOMP_RET_ALLOW
	kill  verdict = unix.SECCOMP_RET_KILL_PROCESS
)

func answer(e unix.Errno) verdict { return verdict(unix.SECCOMP_RET_ERRNO | uint32(e)) }

// block decides about one call. Every path through it ends in a verdict, so
// that blocks can stand in any order.
type block []unix.SockFilter

// The four instructions that filters need (linux/bpf_common.h). A jump that
// holds skips yes instructions, one that does not, no.
func load(off uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: off}
}

func and(mask uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: mask}
}

func jump(test uint16, k uint32, yes, no uint8) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | test | unix.BPF_K, K: k, Jt: yes, Jf: no}
}

func ret(v verdict) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: uint32(v)}
}

// loadArg loads half of an argument. All CPUs that Wherry runs on are
// little-endian.
func loadArg(arg int, high bool) unix.SockFilter {
	off := uint32(offsetArgs + 8*arg)
	if high {
		off += 4
	}
	return load(off)
}

// step is where a block begins to hold, in order of the calls' numbers.
type step struct {
	from uint32
	do   block
}

// assemble makes a program of the blocks of single calls and of a verdict for
// the others: the architecture first, then a search for the call's number by
// halves. The kernel finds out by itself which calls pass whatever their
// arguments and does not run the program for those (since Linux 5.11), so the
// order of frequency does not matter.
func assemble(single []step, other verdict) ([]unix.SockFilter, error) {
	p := make([]unix.SockFilter, 0, 1024)
	p = append(p, load(offsetArch), jump(unix.BPF_JEQ, auditArch, 1, 0), ret(kill), load(offsetNumber))
	p = search(p, cluster(fill(single, other)))
	if len(p) > maxInstructions {
		return nil, fmt.Errorf("the filter has %d instructions; the kernel takes %d", len(p), maxInstructions)
	}
	return p, nil
}

// fill orders the blocks of single calls and puts the verdict for all others
// between them.
func fill(single []step, other verdict) []step {
	slices.SortFunc(single, func(a, b step) int { return cmp.Compare(a.from, b.from) })
	list := make([]step, 0, 2*len(single)+2)
	add := func(from uint32, do block) {
		// Neighbours with the same verdict are one.
		if n := len(list); n > 0 && len(do) == 1 && len(list[n-1].do) == 1 && do[0] == list[n-1].do[0] {
			return
		}
		list = append(list, step{from, do})
	}
	rest := block{ret(other)}
	next := uint32(0)
	for _, s := range single {
		if s.from > next {
			add(next, rest)
		}
		add(s.from, s.do)
		next = s.from + 1
	}
	add(next, rest)
	if foreign != 0 {
		add(foreign, block{ret(kill)})
	}
	return list
}

// maxCluster is how many single numbers are told apart one after the other.
const maxCluster = 4

// cluster makes one block of single numbers with a verdict in a stretch with
// another, since a comparison each is shorter than a search: what a program
// costs a start is its length.
func cluster(list []step) []step {
	out := make([]step, 0, len(list))
	for i := 0; i < len(list); i++ {
		first := i
		var odd []step
		for i+2 < len(list) && len(odd) < maxCluster && plain(list[i], list[i+1], list[i+2]) &&
			list[i].do[0] == list[i+2].do[0] && list[i+1].from+1 == list[i+2].from {
			odd = append(odd, list[i+1])
			i += 2
		}
		s := list[first]
		if len(odd) > 0 {
			s.do = apart(odd, list[first].do[0])
		}
		out = append(out, s)
	}
	return out
}

// plain tells whether steps have nothing but a verdict.
func plain(steps ...step) bool {
	return !slices.ContainsFunc(steps, func(s step) bool { return len(s.do) != 1 })
}

// apart is a block with verdicts for single numbers and another for the rest.
// The number is still loaded.
func apart(odd []step, rest unix.SockFilter) block {
	verdicts := block{rest}
	p := make(block, 0, 2*len(odd)+1)
	for i, s := range odd {
		at := slices.Index(verdicts, s.do[0])
		if at < 0 {
			at = len(verdicts)
			verdicts = append(verdicts, s.do[0])
		}
		p = append(p, jump(unix.BPF_JEQ, s.from, uint8(len(odd)-1-i+at), 0))
	}
	return append(p, verdicts...)
}

// search appends what finds the last step that begins at or below the loaded
// number.
func search(p []unix.SockFilter, list []step) []unix.SockFilter {
	if len(list) == 1 {
		return append(p, list[0].do...)
	}
	half := len(list) / 2
	at := len(p)
	p = search(append(p, jump(unix.BPF_JGE, list[half].from, 0, 0)), list[:half])
	if n := len(p) - at - 1; n <= math.MaxUint8 {
		p[at].Jt = uint8(n)
	} else { // farther than a conditional jump reaches
		p[at].Jf = 1
		p = slices.Insert(p, at+1, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JA, K: uint32(n)})
	}
	return search(p, list[half:])
}

// limited is the block of a call that passes within the limits of a kind of
// process.
func (c *call) limited(kind set, pid uint32) block {
	p := make(block, 0, 1+10*len(c.limits))
	for i := range c.limits {
		l := &c.limits[i]
		if l.only != 0 && l.only&kind == 0 {
			continue
		}
		p = append(p, loadArg(l.arg, l.high))
		if l.mask != 0 {
			p = append(p, and(l.mask))
		}
		in := l.in
		if l.self {
			in = []uint32{pid}
		}
		for i, v := range in {
			p = append(p, jump(unix.BPF_JEQ, v, uint8(len(in)-i), 0))
		}
		p = append(p, ret(answer(l.errno)))
	}
	return append(p, ret(allow))
}

// options is the block of prctl.
func options() block {
	p := block{loadArg(0, false)}
	for i, o := range deadlyOptions {
		p = append(p, jump(unix.BPF_JEQ, o, uint8(len(deadlyOptions)-i), 0))
	}
	return append(p, ret(answer(unix.EINVAL)), ret(kill))
}

// policy makes the program of the table for a kind of process.
func policy(kind set, pid int) ([]unix.SockFilter, error) {
	single := make([]step, 0, 256)
	killing := block{ret(kill)}
	for _, c := range moreDeadly {
		single = append(single, step{c.nr, killing})
	}
	for _, group := range deadly {
		for _, c := range group.calls {
			single = append(single, step{c.nr, killing})
		}
	}
	for _, r := range refused {
		single = append(single, step{r.nr, block{ret(answer(r.errno))}})
	}
	single = append(single, step{unix.SYS_PRCTL, options()})
	for i := range calls {
		switch c := &calls[i]; {
		case c.in&kind != 0:
			single = append(single, step{c.nr, c.limited(kind, uint32(pid))})
		case c.in&(sockets|connects) != 0:
			single = append(single, step{c.nr, block{ret(answer(refusedSockets))}})
		}
	}
	return assemble(single, answer(unix.ENOSYS))
}
