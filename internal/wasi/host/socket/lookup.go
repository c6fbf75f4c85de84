//go:build linux

package socket

import (
	"errors"
	"net/netip"
	"strings"

	"golang.org/x/sys/unix"

	"wherry/internal/wasi/host/socket/policy"
)

// Errors of Lookup. Others are unix.Errno values.
var (
	// ErrNoName says that there is no such name, or none with addresses.
	ErrNoName = errors.New("no such name")
	// ErrTryAgain says that no name server answered.
	ErrTryAgain = errors.New("no name server answered")
	// ErrServer says that the name servers could not tell (SERVFAIL, REFUSED).
	ErrServer = errors.New("name server failure")
)

// resolver turns names into addresses.
type resolver struct {
	hosts   map[string][]netip.Addr
	servers []netip.AddrPort
	search  []string
	// ndots is how many dots make a name be tried as it is before the search
	// domains are (resolv.conf(5)).
	ndots int
}

func newResolver(c Config) resolver {
	r := resolver{hosts: map[string][]netip.Addr{}, servers: c.DNS, search: c.Search, ndots: max(c.Dots, 1)}
	for name, addrs := range c.Hosts {
		r.hosts[canonical(name)] = addrs
	}
	return r
}

// canonical is the form names are compared in.
func canonical(name string) string { return policy.Canonical(name) }

// Lookup resolves a name: a numeric address, one of Config.Hosts, localhost, or
// what the name servers say, who are asked only for names that the guest may
// connect to. With numeric only the first. family 0 asks for both, IPv4 first.
// It gives the canonical name too.
func (n *Network) Lookup(name string, family Family, numeric bool) ([]netip.Addr, string, error) {
	if n.mode == ModeNone {
		return nil, "", unix.EACCES
	}
	if addr, err := netip.ParseAddr(name); err == nil {
		return keep([]netip.Addr{addr.WithZone("")}, family), name, nil
	}
	if numeric || policy.Numeric(name) { // 127.1 is an address to some, and a name to nobody
		return nil, "", ErrNoName
	}
	r := &n.resolver
	key := canonical(name)
	if addrs, ok := r.own(key); ok {
		return keep(addrs, family), key, nil
	}
	if n.allow != nil {
		return n.lookupListed(name, family)
	}
	addrs, cname, _, err := r.ask(name, family, nil)
	return addrs, cname, err
}

// own gives the addresses of a canonical name that nobody need be asked for.
func (r *resolver) own(name string) ([]netip.Addr, bool) {
	if addrs, ok := r.hosts[name]; ok {
		return addrs, true
	}
	if name == "localhost" || strings.HasSuffix(name, ".localhost") { // RFC 6761 6.3
		return []netip.Addr{loopback(netip.IPv4Unspecified()), netip.IPv6Loopback()}, true
	}
	return nil, false
}

// keep picks the addresses of a family, IPv4 first.
func keep(addrs []netip.Addr, family Family) []netip.Addr {
	var v4, v6 []netip.Addr
	for _, a := range addrs {
		if a.Is4() {
			v4 = append(v4, a)
		} else {
			v6 = append(v6, a)
		}
	}
	switch family {
	case IPv4:
		return v4
	case IPv6:
		return v6
	}
	return append(v4, v6...)
}

// ask tries a name as it is and below the search domains, in the order that
// resolv.conf(5) gives; only those that may be asked for, unless may is nil. It
// gives the addresses, the canonical name and the candidate that had them.
func (r *resolver) ask(name string, family Family, may func(name, candidate string) bool) ([]netip.Addr, string, string, error) {
	var last error
	for _, candidate := range r.candidates(name) {
		if may != nil && !may(name, candidate) {
			continue
		}
		if len(r.servers) == 0 {
			return nil, "", "", ErrTryAgain
		}
		addrs, cname, err := r.query(candidate, family)
		if err == nil {
			return addrs, strings.TrimSuffix(cname, "."), candidate, nil
		}
		// A name that a search domain's server cannot judge may yet be found.
		if last == nil || !errors.Is(err, ErrNoName) {
			last = err
		}
	}
	if last == nil {
		last = ErrNoName
	}
	return nil, "", "", last
}

// candidates are the absolute names to try.
func (r *resolver) candidates(name string) []string {
	if strings.HasSuffix(name, ".") {
		return []string{name}
	}
	var out []string
	asIs := name + "."
	if strings.Count(name, ".") >= r.ndots {
		out = append(out, asIs)
	}
	for _, domain := range r.search {
		if domain = strings.Trim(domain, "."); domain != "" {
			out = append(out, name+"."+domain+".")
		}
	}
	if len(out) == 0 || out[0] != asIs {
		out = append(out, asIs)
	}
	return out
}
