package policy

import "net/netip"

// special are the ranges whose addresses mean this machine, its segment, or no
// machine at all (IANA's special-purpose registries, RFC 6890), and the
// addresses at which clouds tell a machine its own credentials. None of them is
// ever meant by a name or a wide rule: a rule must lie within the range.
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),          // this network; 0.0.0.0 is this host
	netip.MustParsePrefix("127.0.0.0/8"),        // loopback
	netip.MustParsePrefix("169.254.0.0/16"),     // link-local; 169.254.169.254 is most clouds' metadata service
	netip.MustParsePrefix("100.100.100.200/32"), // Alibaba Cloud's metadata service
	netip.MustParsePrefix("168.63.129.16/32"),   // Azure's wire server
	netip.MustParsePrefix("192.0.0.192/32"),     // Oracle Cloud's metadata service
	netip.MustParsePrefix("224.0.0.0/4"),        // multicast
	netip.MustParsePrefix("255.255.255.255/32"), // limited broadcast

	netip.MustParsePrefix("::/128"),            // unspecified, which is this host
	netip.MustParsePrefix("::1/128"),           // loopback
	netip.MustParsePrefix("::/96"),             // IPv4-compatible (RFC 4291 2.5.5.1)
	netip.MustParsePrefix("::ffff:0:0:0/96"),   // IPv4-translated (RFC 2765 2.1)
	netip.MustParsePrefix("fe80::/10"),         // link-local
	netip.MustParsePrefix("fec0::/10"),         // site-local, deprecated (RFC 3879)
	netip.MustParsePrefix("fd00:ec2::254/128"), // Amazon's metadata service
	netip.MustParsePrefix("fd20:ce::254/128"),  // Google's metadata service
	netip.MustParsePrefix("ff00::/8"),          // multicast
}

// Special is the narrowest range of special meaning that an address lies in.
// An IPv4-mapped address counts as the IPv4 address that it is. The result is
// not valid for an ordinary address.
func Special(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	var found netip.Prefix
	for _, p := range special {
		if p.Contains(a) && (!found.IsValid() || p.Bits() > found.Bits()) {
			found = p
		}
	}
	return found
}

// Meaningless tells whether nothing may ever be sent to an address, whatever a
// list says: what is left of 0.0.0.0/8 beside 0.0.0.0, and the IPv6 forms that
// carry an IPv4 address which a tunnel or translator of the host would unwrap.
func Meaningless(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if a.IsUnspecified() || a.IsLoopback() {
		return false
	}
	switch Special(a) {
	case special[0], netip.MustParsePrefix("::/96"), netip.MustParsePrefix("::ffff:0:0:0/96"):
		return true
	}
	return false
}

// embedding says where a range of IPv6 addresses carries IPv4 addresses.
type embedding struct {
	prefix netip.Prefix
	// at are the offsets of IPv4 addresses; what lies at an offset of flipped
	// has all its bits inverted.
	at, flipped []int
}

var embeddings = []embedding{
	{netip.MustParsePrefix("64:ff9b::/96"), []int{12}, nil},         // NAT64 (RFC 6052)
	{netip.MustParsePrefix("64:ff9b:1::/48"), []int{6, 9, 12}, nil}, // NAT64, local use (RFC 8215), as of /48, /64 and /96
	{netip.MustParsePrefix("2002::/16"), []int{2}, nil},             // 6to4 (RFC 3056)
	{netip.MustParsePrefix("2001::/32"), []int{4}, []int{12}},       // Teredo (RFC 4380): server, client
	{netip.MustParsePrefix("::/96"), []int{12}, nil},                // IPv4-compatible
	{netip.MustParsePrefix("::ffff:0:0:0/96"), []int{12}, nil},      // IPv4-translated
}

// Embedded lists the IPv4 addresses that an IPv6 address would lead to through
// a translator or a tunnel: NAT64 (RFC 6052, RFC 8215), 6to4 (RFC 3056), Teredo
// (RFC 4380) and ISATAP (RFC 5214). Who may reach the one may not thereby reach
// the other. It is empty for IPv4 and IPv4-mapped addresses.
func Embedded(a netip.Addr) []netip.Addr {
	if !a.Is6() || a.Is4In6() {
		return nil
	}
	a = a.WithZone("")
	b := a.As16()
	var out []netip.Addr
	for _, e := range embeddings {
		if !e.prefix.Contains(a) {
			continue
		}
		for _, at := range e.at {
			if e.prefix.Bits() == 48 && at < 12 { // RFC 6052 2.2: bits 64 to 71 are left out
				out = append(out, skipping(b, at))
				continue
			}
			out = append(out, netip.AddrFrom4([4]byte(b[at:at+4])))
		}
		for _, at := range e.flipped {
			out = append(out, netip.AddrFrom4([4]byte{^b[at], ^b[at+1], ^b[at+2], ^b[at+3]}))
		}
	}
	// ISATAP's interface identifier, below any prefix.
	if (b[8] == 0 || b[8] == 2) && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe {
		out = append(out, netip.AddrFrom4([4]byte(b[12:16])))
	}
	return out
}

// skipping reads an IPv4 address that jumps over byte 8.
func skipping(b [16]byte, at int) netip.Addr {
	var ip [4]byte
	for i := range ip {
		if at == 8 {
			at++
		}
		ip[i] = b[at]
		at++
	}
	return netip.AddrFrom4(ip)
}
