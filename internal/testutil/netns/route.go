//go:build linux

package netns

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// Addresses of the two ends of the cable once Route has been called.
var (
	Near6 = netip.MustParseAddr("fd00:5::1")
	Far6  = netip.MustParseAddr("fd00:5::2")
)

// Route gives both ends an IPv6 address, and makes the other machine the
// default router of this network, so that whatever address does not lie here is
// sent there.
func (f *Far) Route(t testing.TB) {
	t.Helper()
	err := address("near", Near6)
	f.Do(func() { err = errors.Join(err, address("far", Far6)) })
	for _, gateway := range []netip.Addr{f.Addr, Far6} {
		err = errors.Join(err, defaultRoute("near", gateway))
	}
	if err != nil {
		t.Fatalf("route to the other machine: %v", err)
	}
}

// address gives an interface an IPv6 address, without asking whether another
// machine has it.
func address(name string, addr netip.Addr) error {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return err
	}
	body := []byte{unix.AF_INET6, 64, unix.IFA_F_NODAD, unix.RT_SCOPE_UNIVERSE}
	body = binary.NativeEndian.AppendUint32(body, uint32(i.Index))
	return request(unix.RTM_NEWADDR, append(body, attribute(unix.IFA_ADDRESS, addr.AsSlice())...))
}

// defaultRoute makes a gateway the default one.
func defaultRoute(name string, gateway netip.Addr) error {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return err
	}
	family := byte(unix.AF_INET)
	if gateway.Is6() {
		family = unix.AF_INET6
	}
	body := []byte{family, 0, 0, 0, unix.RT_TABLE_MAIN, unix.RTPROT_STATIC, unix.RT_SCOPE_UNIVERSE, unix.RTN_UNICAST, 0, 0, 0, 0}
	body = append(body, attribute(unix.RTA_OIF, binary.NativeEndian.AppendUint32(nil, uint32(i.Index)))...)
	return request(unix.RTM_NEWROUTE, append(body, attribute(unix.RTA_GATEWAY, gateway.AsSlice())...))
}
