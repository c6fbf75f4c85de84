//go:build linux

package socket

import "net/netip"

// Names are the part of a configuration that says what names are.
type Names struct {
	Hosts  map[string][]netip.Addr `json:",omitempty"`
	DNS    []netip.AddrPort        `json:",omitempty"`
	Search []string                `json:",omitempty"`
	Dots   int                     `json:",omitempty"`
}

// Names are the configuration's.
func (c Config) Names() Names {
	return Names{Hosts: c.Hosts, DNS: c.DNS, Search: c.Search, Dots: c.Dots}
}

// SetNames puts other names in place of the configuration's, before the guest
// runs. Its errors are those of New.
func (n *Network) SetNames(names Names) error {
	n.config.Hosts, n.config.DNS, n.config.Search, n.config.Dots = names.Hosts, names.DNS, names.Search, names.Dots
	n.resolver = newResolver(n.config)
	return n.ownServers()
}
