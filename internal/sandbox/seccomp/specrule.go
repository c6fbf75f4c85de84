//go:build linux

package seccomp

import (
	"fmt"

	"github.com/containerd/errdefs"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// ruleSet is what a specification says of one call.
type ruleSet struct {
	// whole is the first verdict whatever the arguments. It counts before all
	// that looks at arguments, as in libseccomp.
	whole *verdict
	// some are the rules about arguments; the first that fits counts.
	some []rule
}

// rule is a verdict for calls whose arguments all compare as said.
type rule struct {
	args []specs.LinuxSeccompArg
	then verdict
}

// addRules enters one entry of a specification under each of its names.
func addRules(rules map[string]*ruleSet, sc specs.LinuxSyscall) error {
	v, err := specVerdict(sc.Action, sc.ErrnoRet)
	if err != nil {
		return err
	}
	if len(sc.Names) == 0 {
		return fmt.Errorf("it names no call: %w", errdefs.ErrInvalidArgument)
	}
	var seen [6]bool
	twice := false
	for _, a := range sc.Args {
		if a.Index > 5 {
			return fmt.Errorf("argument %d: calls have 0 to 5: %w", a.Index, errdefs.ErrInvalidArgument)
		}
		if _, ok := comparisons[a.Op]; !ok {
			return fmt.Errorf("there is no operator %q: %w", a.Op, errdefs.ErrInvalidArgument)
		}
		twice = twice || seen[a.Index]
		seen[a.Index] = true
	}
	for _, name := range sc.Names {
		r := rules[name]
		if r == nil {
			r = &ruleSet{}
			rules[name] = r
		}
		switch {
		case len(sc.Args) == 0:
			if r.whole == nil {
				r.whole = &v
			}
		case twice:
			// Profiles are written for runc, which takes several conditions on
			// one argument as alternatives.
			for i := range sc.Args {
				r.some = append(r.some, rule{sc.Args[i : i+1], v})
			}
		default:
			r.some = append(r.some, rule{sc.Args, v})
		}
	}
	return nil
}

// block decides by the rules; base is the verdict where none fits.
func (r *ruleSet) block(base verdict) block {
	if r.whole != nil {
		return block{ret(*r.whole)}
	}
	var p block
	for _, one := range r.some {
		p = append(p, one.block()...)
	}
	return append(p, ret(base))
}

// block is a rule: it gives its verdict, or goes on behind its end. It has at
// most 6·7 instructions, which a conditional jump reaches.
func (r rule) block() block {
	var p block
	for i := len(r.args) - 1; i >= 0; i-- {
		// Behind what is compared now come the other comparisons and the verdict.
		p = append(compare(r.args[i], uint8(len(p)+1)), p...)
	}
	return append(p, ret(r.then))
}

// comparisons tell how an operator compares the two halves of a value.
var comparisons = map[specs.LinuxSeccompOperator]struct {
	// negate tells that the comparison must not hold: each operator is one of
	// ==, >= and > or the contrary of it.
	negate bool
	// low compares the lower halves where the upper are equal.
	low uint16
}{
	specs.OpEqualTo:      {false, unix.BPF_JEQ},
	specs.OpMaskedEqual:  {false, unix.BPF_JEQ},
	specs.OpNotEqual:     {true, unix.BPF_JEQ},
	specs.OpGreaterEqual: {false, unix.BPF_JGE},
	specs.OpLessThan:     {true, unix.BPF_JGE},
	specs.OpGreaterThan:  {false, unix.BPF_JGT},
	specs.OpLessEqual:    {true, unix.BPF_JGT},
}

// compare compares an argument with a value, both of 64 bits, in halves: where
// it holds, the next instruction is run, where not, that behind the next rest.
func compare(a specs.LinuxSeccompArg, rest uint8) block {
	c := comparisons[a.Op]
	value := a.Value
	var high, low block
	high = append(high, loadArg(int(a.Index), true))
	low = append(low, loadArg(int(a.Index), false))
	if a.Op == specs.OpMaskedEqual {
		high = append(high, and(uint32(a.Value>>32)))
		low = append(low, and(uint32(a.Value)))
		value = a.ValueTwo
	}
	// How far holds and fails are from the end of this block.
	holds, fails := uint8(0), rest
	if c.negate {
		holds, fails = fails, holds
	}
	n := uint8(len(low) + 1)
	p := high
	if c.low != unix.BPF_JEQ {
		// A larger upper half decides.
		p = append(p, jump(unix.BPF_JGT, uint32(value>>32), n+1+holds, 0))
	}
	p = append(p, jump(unix.BPF_JEQ, uint32(value>>32), 0, n+fails))
	p = append(p, low...)
	return append(p, jump(c.low, uint32(value), holds, fails))
}
