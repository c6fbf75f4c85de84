//go:build linux

package socket

import "net/netip"

// The network modes of a container.
const (
	ModeNone    = "none"    // every call fails
	ModePrivate = "private" // a loopback of its own, published ports, connections outwards
	ModeHost    = "host"    // the sockets of the process's network namespace
)

// Protocols of published ports.
const (
	TCP = "tcp"
	UDP = "udp"
)

// Config says what a guest's network is. It is plain data, so that it can be
// handed to the container process as JSON.
type Config struct {
	// Mode is ModeNone, ModePrivate or ModeHost; empty is ModeNone.
	Mode string `json:",omitempty"`
	// Published are the ports that the world outside can reach.
	Published []Listener `json:",omitempty"`
	// Preopen hands the published TCP listeners to the guest as open
	// descriptors.
	Preopen bool `json:",omitempty"`
	// Connect lists what the guest may connect and send to, beside itself:
	// HOST:PORT, a host being a name, an address or a prefix (10.0.0.0/8), a
	// port a number or "*". Nil is everything outside; empty is nothing.
	Connect *[]string `json:",omitempty"`
	// Hosts are names that are known without asking anybody.
	Hosts map[string][]netip.Addr `json:",omitempty"`
	// DNS are the name servers, tried in order. None means those of
	// /etc/resolv.conf at the time of New.
	DNS []netip.AddrPort `json:",omitempty"`
	// Search are the domains tried behind a name without a dot.
	Search []string `json:",omitempty"`
}

// Listener is a published port: a descriptor that somebody else has bound on
// the host side, and for TCP made listen.
type Listener struct {
	// Proto is TCP or UDP.
	Proto string
	// Port is the port as the guest knows it.
	Port uint16
	// FD is the inherited descriptor. It is duplicated when the guest binds,
	// and closed by Network.Close.
	FD int
}
