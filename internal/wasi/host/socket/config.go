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
	// Connect lists what the guest may connect and send to, beside itself, in
	// the grammar of [policy.ParseAllow]. Nil is everything outside; empty is
	// nothing. Whoever sends to a published port is answered all the same.
	Connect *[]string `json:",omitempty"`
	// Hosts are names that are known without asking anybody.
	Hosts map[string][]netip.Addr `json:",omitempty"`
	// DNS are the name servers, tried in order; see ReadResolvConf.
	DNS []netip.AddrPort `json:",omitempty"`
	// Search are the domains tried behind a name with fewer dots than Dots,
	// which is 1 where it is 0 (resolv.conf(5), ndots).
	Search []string `json:",omitempty"`
	Dots   int      `json:",omitempty"`
}

// What a guest's network needs of the kernel, in the words of the filter of
// system calls.
const (
	KernelNone   = ""       // no socket at all
	KernelListen = "listen" // sockets, but no connect(2)
	KernelFull   = "full"   // all of it
)

// Kernel says which socket calls the process needs once New has returned:
// KernelNone, KernelListen or KernelFull. Of socket(2) it is always only
// AF_INET and AF_INET6 with SOCK_STREAM and SOCK_DGRAM, of socketpair(2)
// AF_UNIX with SOCK_STREAM.
func (c Config) Kernel() string {
	switch {
	case c.Mode == ModeNone || c.Mode == "":
		return KernelNone
	case c.Connect != nil && len(*c.Connect) == 0:
		return KernelListen
	}
	return KernelFull
}

// ReadHosts takes the names of a hosts(5). Like ReadResolvConf it is for the
// process that sees the host's files, and what cannot be read has nothing in it.
func (c *Config) ReadHosts(path string) { c.Hosts = parseHosts(readText(path)) }

// ReadResolvConf takes the name servers and search domains of a resolv.conf(5)
// for a configuration that has none of its own. It is for the process that sees
// the host's files; a guest's does not. A file that cannot be read has nothing
// in it: the guest's look-ups then answer that there is no server.
func (c *Config) ReadResolvConf(path string) {
	if len(c.DNS) > 0 || c.Mode == ModeNone || c.Mode == "" {
		return
	}
	conf := readResolvConf(path)
	c.DNS, c.Dots = conf.servers, conf.ndots
	if len(c.Search) == 0 {
		c.Search = conf.search
	}
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
