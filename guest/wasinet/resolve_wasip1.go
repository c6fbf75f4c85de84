package wasinet

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
)

// LookupNetIP asks the host for the addresses of a name. The networks are
// "ip", "ip4" and "ip6". The host's lookup can't be interrupted: ctx is looked
// at before it.
func LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	family, ok := map[string]uint32{"ip": familyUnspec, "ip4": familyInet4, "ip6": familyInet6}[network]
	if !ok {
		return nil, net.UnknownNetworkError(network)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	found, err := []netip.Addr(nil), error(nil)
	if ip, perr := netip.ParseAddr(host); perr == nil {
		found = []netip.Addr{ip}
	} else if host == "" || len(host) > 253 {
		err = &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	} else if found, err = getAddrInfo(host, family); err != nil {
		err = dnsError(host, err)
	}
	if err != nil {
		return nil, err
	}
	var ips []netip.Addr
	for _, ip := range found {
		if family == familyUnspec || familyOf(ip) == family {
			ips = append(ips, ip)
		}
	}
	if len(ips) == 0 {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return ips, nil
}

// The extension's own errors of a lookup lie above WASI's: AIAGAIN, AINODATA
// and AINONAME of WasmEdge's thirdparty/wasi/api.hpp.
const (
	errAgain  = syscall.Errno(78)
	errNoData = syscall.Errno(83)
	errNoName = syscall.Errno(84)
)

func dnsError(name string, err error) error {
	e := &net.DNSError{UnwrapErr: err, Err: err.Error(), Name: name}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		switch errno {
		case errNoData, errNoName, syscall.ENOENT:
			e.Err, e.IsNotFound = "no such host", true
		case errAgain:
			e.Err, e.IsTemporary = "the name server gave no answer", true
		}
	}
	return e
}

func familyOf(ip netip.Addr) uint32 {
	if ip.Is4() {
		return familyInet4
	}
	return familyInet6
}

// lookup finds the addresses of a host, which may be empty, in the order in
// which to try them; never none without an error. The network is "ip", "ip4" or
// "ip6".
type lookup func(ctx context.Context, network, host string) ([]netip.Addr, error)

// ownAddresses is the lookup of Listen. It asks nobody: so a program that only
// listens imports no lookup, and what it may do is seen from its imports.
func ownAddresses(_ context.Context, network, host string) ([]netip.Addr, error) {
	ips := []netip.Addr{netip.IPv6Unspecified(), netip.IPv4Unspecified()}
	if host == "localhost" {
		ips = []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}
	} else if host != "" {
		ip, err := netip.ParseAddr(host)
		if err != nil {
			return nil, &net.AddrError{Err: "want an IP address or localhost to listen on", Addr: host}
		}
		ips = []netip.Addr{ip}
	}
	if ips = pick(network, ips); len(ips) == 0 {
		return nil, &net.AddrError{Err: "no suitable address", Addr: host}
	}
	return ips, nil
}

// peerAddresses is the lookup of Dial. An empty host is this program's own, as
// in package net.
func peerAddresses(ctx context.Context, network, host string) ([]netip.Addr, error) {
	if host == "" {
		return pick(network, []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}), nil
	}
	return LookupNetIP(ctx, network, host)
}

// resolve takes a network and HOST:PORT apart.
func resolve(ctx context.Context, network, address string, find lookup) ([]netip.AddrPort, uint32, error) {
	var sotype uint32
	proto, ips := network, "ip"
	if n := len(network); n > 0 && (network[n-1] == '4' || network[n-1] == '6') {
		proto, ips = network[:n-1], "ip"+network[n-1:]
	}
	switch proto {
	case "tcp":
		sotype = typeStream
	case "udp":
		sotype = typeDatagram
	default:
		return nil, 0, net.UnknownNetworkError(network)
	}
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, 0, err
	}
	port, err := net.DefaultResolver.LookupPort(ctx, proto, service)
	if err != nil {
		return nil, 0, err
	}
	found, err := find(ctx, ips, host)
	if err != nil {
		return nil, 0, err
	}
	addrs := make([]netip.AddrPort, len(found))
	for i, ip := range found {
		addrs[i] = netip.AddrPortFrom(ip.WithZone(""), uint16(port))
	}
	return addrs, sotype, nil
}

// pick keeps the addresses of a network.
func pick(network string, ips []netip.Addr) []netip.Addr {
	var out []netip.Addr
	for _, ip := range ips {
		if network == "ip" || (network == "ip4") == ip.Is4() {
			out = append(out, ip)
		}
	}
	return out
}
