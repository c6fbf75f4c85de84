//go:build linux

package netns

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// Far is another machine, as far as this process's network can tell: a network
// of its own at the other end of a cable.
type Far struct {
	// Addr is its address, which this network has a route to.
	Addr netip.Addr
	do   chan func()
}

// NewFar makes another machine until the test's end. It needs a network where
// this process is root, such as one of Command.
func NewFar(t testing.TB) *Far {
	t.Helper()
	near, far := netip.MustParsePrefix("198.18.0.1/24"), netip.MustParsePrefix("198.18.0.2/24")
	f := &Far{Addr: far.Addr(), do: make(chan func())}
	ready := make(chan int)
	var failed error
	go func() {
		// Not unlocked: the thread ends with the network.
		runtime.LockOSThread()
		fd := -1
		if failed = unix.Unshare(unix.CLONE_NEWNET); failed == nil {
			fd, failed = unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		}
		ready <- fd
		for work := range f.do {
			work()
		}
	}()
	t.Cleanup(func() { close(f.do) })
	fd := <-ready
	if failed != nil {
		t.Fatalf("make another network: %v", failed)
	}
	defer unix.Close(fd)
	if err := cable("near", "far", fd); err != nil {
		t.Fatalf("lay a cable: %v", err)
	}
	err := configure("near", near)
	f.Do(func() { err = errors.Join(err, configure("far", far)) })
	if err != nil {
		t.Fatalf("configure the cable: %v", err)
	}
	return f
}

// Do runs work in the other network and waits for it. Sockets that work opens
// itself stay there.
func (f *Far) Do(work func()) {
	done := make(chan struct{})
	f.do <- func() { work(); close(done) }
	<-done
}

// configure gives an interface an address and brings it up (netdevice(7)).
func configure(name string, at netip.Prefix) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for _, step := range []struct {
		request uint
		set     func(*unix.Ifreq) error
	}{
		{unix.SIOCSIFADDR, func(r *unix.Ifreq) error { return r.SetInet4Addr(at.Addr().AsSlice()) }},
		{unix.SIOCSIFNETMASK, func(r *unix.Ifreq) error { return r.SetInet4Addr([]byte{255, 255, 255, 0}) }},
		{unix.SIOCSIFFLAGS, func(r *unix.Ifreq) error { r.SetUint16(unix.IFF_UP); return nil }},
	} {
		r, err := unix.NewIfreq(name)
		if err == nil {
			err = step.set(r)
		}
		if err == nil {
			err = unix.IoctlIfreq(fd, step.request, r)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// vethPeer is VETH_INFO_PEER of linux/veth.h.
const vethPeer = 1

// cable makes a pair of interfaces, the far one in another network
// (rtnetlink(7), RTM_NEWLINK; ip-link(8), type veth).
func cable(near, far string, network int) error {
	other := make([]byte, unix.SizeofIfInfomsg)
	other = append(other, attribute(unix.IFLA_IFNAME, append([]byte(far), 0))...)
	other = append(other, attribute(unix.IFLA_NET_NS_FD, binary.NativeEndian.AppendUint32(nil, uint32(network)))...)
	info := append(attribute(unix.IFLA_INFO_KIND, []byte("veth\x00")),
		attribute(unix.IFLA_INFO_DATA, attribute(vethPeer, other))...)
	body := make([]byte, unix.SizeofIfInfomsg)
	body = append(body, attribute(unix.IFLA_IFNAME, append([]byte(near), 0))...)
	body = append(body, attribute(unix.IFLA_LINKINFO, info)...)

	return request(unix.RTM_NEWLINK, body)
}

// request asks the kernel to make something (rtnetlink(7)).
func request(kind uint16, body []byte) error {
	b := binary.NativeEndian.AppendUint32(nil, uint32(unix.SizeofNlMsghdr+len(body)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = binary.NativeEndian.AppendUint16(b, unix.NLM_F_REQUEST|unix.NLM_F_ACK|unix.NLM_F_CREATE|unix.NLM_F_EXCL)
	b = append(append(b, make([]byte, 8)...), body...)
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.Sendto(fd, b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	reply := make([]byte, 4096)
	n, _, err := unix.Recvfrom(fd, reply, 0)
	if err != nil {
		return err
	}
	if n < unix.SizeofNlMsghdr+4 || binary.NativeEndian.Uint16(reply[4:]) != unix.NLMSG_ERROR {
		return errors.New("the kernel answered something else than an error or 0")
	}
	if errno := -int32(binary.NativeEndian.Uint32(reply[unix.SizeofNlMsghdr:])); errno != 0 {
		return unix.Errno(errno)
	}
	return nil
}

// attribute is a rtattr, padded.
func attribute(kind uint16, value []byte) []byte {
	b := binary.NativeEndian.AppendUint16(nil, uint16(unix.SizeofRtAttr+len(value)))
	b = append(binary.NativeEndian.AppendUint16(b, kind), value...)
	for len(b)%unix.RTA_ALIGNTO != 0 {
		b = append(b, 0)
	}
	return b
}
