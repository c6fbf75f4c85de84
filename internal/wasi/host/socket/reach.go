//go:build linux

package socket

import (
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"wherry/internal/wasi/host/socket/policy"
)

// verdict is what becomes of something that is sent to an address.
type verdict struct {
	// to is the destination that was judged, and no other may be used: the
	// unspecified address stands for loopback.
	to    netip.AddrPort
	where place
	err   error
	until time.Time
}

// Verdicts on datagrams, which come in bursts, are kept for a moment. A stream
// is judged anew each time.
const (
	verdictLife = time.Second
	maxVerdicts = 256
)

// judge decides what becomes of a datagram.
func (n *Network) judge(to netip.AddrPort) verdict {
	if n.routes == nil {
		return verdict{to: to, where: outside}
	}
	now := time.Now()
	if v, ok := n.verdicts[to]; ok && now.Before(v.until) {
		return v
	}
	v := n.reach(to)
	if len(n.verdicts) >= maxVerdicts {
		clear(n.verdicts)
	}
	v.until = time.Now().Add(verdictLife) // asking name servers takes its time
	n.verdicts[to] = v
	return v
}

// reach decides where a destination lies and whether the guest may go there:
// unix.EACCES where the policy forbids it, unix.ENETUNREACH where nothing can
// be sent at all. Private mode keeps what is the host's own inside the guest;
// host mode without a list asks nobody.
func (n *Network) reach(to netip.AddrPort) verdict {
	if n.routes == nil {
		return verdict{to: to, where: outside}
	}
	addr := to.Addr().Unmap().WithZone("")
	if policy.Meaningless(addr) {
		return verdict{to: to, err: unix.ENETUNREACH}
	}
	if addr.IsUnspecified() && n.mode == ModeHost {
		to = netip.AddrPortFrom(loopback(to.Addr()), to.Port())
		addr = to.Addr().Unmap()
	}
	where, err := n.routes.locate(addr)
	v := verdict{to: to, where: where, err: err}
	switch {
	case n.mode == ModeHost:
		v.where = outside
		v.err = n.reachAsHost(to, where, err)
	case err == nil && where == outside:
		v.err = n.reachOutside(to)
	}
	return v
}

// reachOutside judges a destination on another machine in private mode.
func (n *Network) reachOutside(to netip.AddrPort) error {
	addr := to.Addr().Unmap()
	if n.allow != nil {
		return n.permit(to)
	}
	// The loopback never lies outside; whoever says so means it.
	if policy.Special(addr).IsValid() && !addr.IsLoopback() || n.leadsBack(addr) {
		return unix.EACCES
	}
	return nil
}

// reachAsHost judges a destination in host mode with a list. What lies in this
// very network namespace, and what reaches many, must be named as such.
func (n *Network) reachAsHost(to netip.AddrPort, where place, err error) error {
	addr := to.Addr().Unmap()
	switch {
	case n.static(to), n.allow.Exactly(to):
		return nil
	case err != nil && !addr.IsMulticast():
		return err
	case addr.IsLoopback() || addr.IsMulticast():
		if n.allow.Address(to) {
			return nil
		}
		return unix.EACCES
	case where == inside:
		return unix.EACCES
	}
	return n.permit(to)
}

// permit holds a destination on another machine against the list.
func (n *Network) permit(to netip.AddrPort) error {
	addr := to.Addr().Unmap()
	switch {
	case n.static(to), n.allow.Exactly(to):
		return nil
	case n.leadsBack(addr):
		return unix.EACCES
	case n.allow.Address(to):
		return nil
	case policy.Special(addr).IsValid(): // no name server may send a guest there
		return unix.EACCES
	case n.known.gives(n.allow, to, time.Now()):
		return nil
	}
	n.refresh(to.Port())
	if n.known.gives(n.allow, to, time.Now()) {
		return nil
	}
	return unix.EACCES
}

// leadsBack tells whether an IPv6 address carries the IPv4 address of something
// that the guest may not reach by that.
func (n *Network) leadsBack(addr netip.Addr) bool {
	for _, a := range policy.Embedded(addr) {
		if policy.Special(a).IsValid() {
			return true
		}
		if where, err := n.routes.locate(a); where == inside || err == unix.EACCES {
			return true
		}
	}
	return false
}

// static tells whether the container's owner gave this address to a name of the
// list, so that no name server was asked. It may be any address.
func (n *Network) static(to netip.AddrPort) bool {
	addr := to.Addr().Unmap()
	for name, addrs := range n.resolver.hosts {
		for _, a := range addrs {
			if a.Unmap() == addr && n.allow.NamePort(name, to.Port()) {
				return true
			}
		}
	}
	return addr.IsLoopback() && n.allow.NamePort("localhost", to.Port()) && addr == loopback(addr)
}

// refresh resolves the names that the list has for a port and that were not
// asked for of late, so that a guest which brings an address need not have
// asked for its name.
func (n *Network) refresh(port uint16) {
	deadline := time.Now().Add(refreshTime)
	for _, name := range n.allow.Names(port) {
		now := time.Now()
		if now.After(deadline) {
			return // the others have their turn with the next attempt
		}
		if _, static := n.resolver.own(name); static || !n.known.due(name, now) {
			continue
		}
		// Whatever goes wrong, the name gives no address then.
		_, _, _ = n.lookupListed(name, 0)
	}
}

// lookupListed asks name servers for a name that the list may have, and keeps
// in mind what they say. Addresses that a name server has no business to give
// are left out: those of this machine, its segment, or of no machine.
func (n *Network) lookupListed(name string, family Family) ([]netip.Addr, string, error) {
	key := policy.Canonical(name)
	if n.allow.Name(key) {
		n.known.asking(key, time.Now())
	}
	addrs, cname, candidate, err := n.resolver.ask(name, family, n.listed)
	if err != nil {
		return nil, "", err
	}
	var good []netip.Addr
	for _, a := range addrs {
		if len(good) == maxAddrs {
			break
		}
		if where, err := n.routes.locate(a); err == nil && where == outside &&
			!a.Is4In6() && !policy.Special(a).IsValid() && !n.leadsBack(a) {
			good = append(good, a)
		}
	}
	if len(good) == 0 {
		return nil, "", ErrNoName
	}
	for _, k := range []string{key, policy.Canonical(candidate)} {
		if n.allow.Name(k) {
			n.known.learn(k, good, time.Now())
		}
	}
	return good, cname, nil
}

// listed tells whether name servers may be asked for a candidate, tried for a
// name that the guest gave: it is in the list itself, or the name is a short
// one of the list.
func (n *Network) listed(name, candidate string) bool {
	return n.allow.Name(candidate) || isShort(name) && n.allow.Name(name)
}
