//go:build !wasip1

package wasinet

import (
	"context"
	"net"
	"net/netip"
)

// Listen is net.Listen.
func Listen(network, address string) (net.Listener, error) { return net.Listen(network, address) }

// LookupNetIP is net.DefaultResolver's LookupNetIP, with IPv4 addresses as such
// and not mapped into IPv6.
func LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	ips, err := net.DefaultResolver.LookupNetIP(ctx, network, host)
	for i := range ips {
		ips[i] = ips[i].Unmap()
	}
	return ips, err
}

func dial(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, network, address)
}
