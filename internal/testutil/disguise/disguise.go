// Package disguise lists the names and addresses under which a hostile guest
// may try to reach the services of the machine that it runs on. It must know
// nothing of Wherry.
package disguise

import (
	"fmt"
	"net/netip"
)

// Case is one way to write the machine itself.
type Case struct {
	// Name is what the disguise is, and unlike all others.
	Name string
	// Addr is a destination to connect and to send to. It keeps its form: an
	// IPv4-mapped address is for an IPv6 socket.
	Addr netip.Addr
	// Host is, where Addr is not valid, a name to resolve first.
	Host string
}

// fixed are the disguises that are the same on each machine.
var fixed = []struct{ name, addr string }{
	{"loopback", "127.0.0.1"},
	{"loopback, first of its net", "127.0.0.0"},
	{"loopback, Debian's host name", "127.0.1.1"},
	{"loopback, name server of systemd", "127.0.0.53"},
	{"loopback, middle of its net", "127.127.127.127"},
	{"loopback, last of its net", "127.255.255.254"},
	{"loopback, its broadcast", "127.255.255.255"},
	{"unspecified", "0.0.0.0"},
	{"this network", "0.0.0.1"},
	{"this network, as loopback", "0.127.0.1"},
	{"limited broadcast", "255.255.255.255"},
	{"multicast, all hosts", "224.0.0.1"},
	{"multicast, service discovery", "239.255.255.250"},
	{"link-local metadata", "169.254.169.254"},

	{"loopback over IPv6", "::1"},
	{"unspecified over IPv6", "::"},
	{"mapped loopback", "::ffff:127.0.0.1"},
	{"mapped loopback, another", "::ffff:127.9.9.9"},
	{"mapped unspecified", "::ffff:0.0.0.0"},
	{"mapped this network", "::ffff:0.0.0.1"},
	{"mapped broadcast", "::ffff:255.255.255.255"},
	{"mapped multicast", "::ffff:224.0.0.1"},
	{"mapped link-local metadata", "::ffff:169.254.169.254"},
	{"link-local over IPv6", "fe80::1"},
	{"site-local", "fec0::1"},
	{"multicast over IPv6, this interface", "ff01::1"},
	{"multicast over IPv6, this link", "ff02::1"},
	{"multicast over IPv6, this site", "ff05::1"},
	{"multicast over IPv6, all", "ff0e::1"},
}

// names are the disguises of a name.
var names = []struct{ name, host string }{
	{"name localhost", "localhost"},
	{"name localhost in capitals", "LOCALHOST"},
	{"name localhost with a dot", "localhost."},
	{"name below localhost", "a.localhost"},
	{"name of two parts, decimal", "127.1"},
	{"name of three parts, decimal", "127.0.1"},
	{"name of one part, decimal", "2130706433"},
	{"name of one part, hexadecimal", "0x7f000001"},
	{"name of one part, octal", "017700000001"},
	{"name of two parts, hexadecimal", "0x7f.0x1"},
	{"name of four parts, octal", "0177.0.0.01"},
	{"name of four parts, hexadecimal", "0x7f.0x0.0x0.0x1"},
	{"name of four parts, leading zeros", "127.000.000.001"},
	{"name of four parts with a dot", "127.0.0.1."},
	{"name nought", "0"},
	{"name nought, hexadecimal", "0x0"},
	{"name of an overflowing number", "4294967297"},
	{"name of a negative number", "-2130706431"},
	{"name of wide digits", "１２７.０.０.１"},
	{"name with ideographic dots", "127。0。0。1"},
	{"name of IPv6 loopback", "::1"},
	{"name of IPv6 loopback in full", "0:0:0:0:0:0:0:1"},
	{"name of IPv6 loopback in brackets", "[::1]"},
	{"name of IPv6 loopback with a zone", "::1%lo"},
	{"name of mapped loopback", "::ffff:7f00:1"},
	{"name of mapped loopback, dotted", "::ffff:127.0.0.1"},
	{"name with a NUL behind", "localhost\x00.example.com"},
	{"name with a blank", "127.0.0.1 "},
	{"name with user and host", "example.com@127.0.0.1"},
	{"name with a port", "127.0.0.1:80"},
}

// Cases lists the disguises of a machine with these addresses of its own, IPv4
// and IPv6, beside its loopback.
func Cases(own ...netip.Addr) []Case {
	var out []Case
	for _, f := range fixed {
		out = append(out, Case{Name: f.name, Addr: netip.MustParseAddr(f.addr)})
	}
	carried := append([]netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.IPv4Unspecified()}, own...)
	for i, a := range carried {
		if i >= 2 {
			out = append(out, Case{Name: "own address " + a.String(), Addr: a})
		}
		if !a.Is4() {
			continue
		}
		if i >= 2 {
			out = append(out, Case{Name: "mapped own address " + a.String(), Addr: netip.AddrFrom16(a.As16())})
		}
		out = append(out, carriers(a)...)
	}
	for _, n := range names {
		out = append(out, Case{Name: n.name, Host: n.host})
	}
	return out
}

// carriers are the IPv6 forms of an IPv4 address that translators and tunnels
// unwrap.
func carriers(a netip.Addr) []Case {
	b := a.As4()
	hex := fmt.Sprintf("%02x%02x:%02x%02x", b[0], b[1], b[2], b[3])
	flipped := fmt.Sprintf("%02x%02x:%02x%02x", ^b[0], ^b[1], ^b[2], ^b[3])
	var out []Case
	for _, form := range []struct{ name, text string }{
		{"IPv4-compatible", "::" + hex},
		{"IPv4-translated", "::ffff:0:" + hex},
		{"NAT64", "64:ff9b::" + hex},
		{"NAT64, local use", "64:ff9b:1::" + hex},
		{"NAT64, local use of /48", fmt.Sprintf("64:ff9b:1:%02x%02x:00%02x:%02x00::", b[0], b[1], b[2], b[3])},
		{"6to4", "2002:" + hex + "::1"},
		{"Teredo, server", "2001:0:" + hex + "::1"},
		{"Teredo, client", "2001:0:808:808:0:0:" + flipped},
		{"ISATAP, link-local", "fe80::5efe:" + hex},
		{"ISATAP", "2001:db8::200:5efe:" + hex},
	} {
		if addr := netip.MustParseAddr(form.text); !addr.IsUnspecified() {
			out = append(out, Case{Name: form.name + " of " + a.String(), Addr: addr})
		}
	}
	return out
}

// Own are the addresses that a machine's interfaces have, as Cases wants them.
func Own(list []string) ([]netip.Addr, error) {
	var out []netip.Addr
	for _, text := range list {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, err
		}
		if a := p.Addr().Unmap().WithZone(""); !a.IsLoopback() {
			out = append(out, a)
		}
	}
	return out, nil
}
