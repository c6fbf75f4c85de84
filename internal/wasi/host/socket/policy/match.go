package policy

import (
	"net/netip"
	"strings"
)

// Address tells whether a rule of addresses covers a destination. Special
// addresses need a rule that lies within their range.
func (a Allow) Address(to netip.AddrPort) bool {
	addr := to.Addr().Unmap().WithZone("")
	if !addr.IsValid() {
		return false
	}
	narrow := Special(addr)
	for _, r := range a.addresses {
		switch {
		case r.port != 0 && r.port != to.Port():
		case !r.prefix.IsValid():
			if !narrow.IsValid() {
				return true
			}
		case r.prefix.Contains(addr) && (!narrow.IsValid() || r.prefix.Bits() >= narrow.Bits()):
			return true
		}
	}
	return false
}

// Exactly tells whether a rule names just this address, for addresses that no
// wider rule may mean, such as the machine's own.
func (a Allow) Exactly(to netip.AddrPort) bool {
	addr := to.Addr().Unmap().WithZone("")
	for _, r := range a.addresses {
		if r.prefix.IsValid() && r.prefix.IsSingleIP() && r.prefix.Addr() == addr && (r.port == 0 || r.port == to.Port()) {
			return true
		}
	}
	return false
}

// Name tells whether a name may be resolved: some rule has it, on any port.
func (a Allow) Name(name string) bool {
	name = Canonical(name)
	for _, r := range a.names {
		if r.matches(name) {
			return true
		}
	}
	return false
}

// NamePort tells whether a rule has a name with a port, so that the addresses of
// the name are allowed. The rule "*" gives no name anything: it allows addresses.
func (a Allow) NamePort(name string, port uint16) bool {
	name = Canonical(name)
	for _, r := range a.names {
		if r.name != "" && (r.port == 0 || r.port == port) && r.matches(name) {
			return true
		}
	}
	return false
}

// Names lists the names that the rules for a port spell out, which the host can
// resolve by itself.
func (a Allow) Names(port uint16) []string {
	var out []string
	for _, r := range a.names {
		if r.name != "" && !r.below && (r.port == 0 || r.port == port) {
			out = append(out, r.name)
		}
	}
	return out
}

// HasNames tells whether anything depends on what names resolve to.
func (a Allow) HasNames() bool {
	for _, r := range a.names {
		if r.name != "" {
			return true
		}
	}
	return false
}

// Empty tells whether nothing is allowed.
func (a Allow) Empty() bool { return len(a.addresses) == 0 && len(a.names) == 0 }

func (r nameRule) matches(name string) bool {
	switch {
	case r.name == "":
		return true
	case r.below:
		return strings.HasSuffix(name, "."+r.name) && len(name) > len(r.name)+1
	}
	return r.name == name
}
