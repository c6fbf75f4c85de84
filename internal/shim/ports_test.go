//go:build linux

package shim

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"wherry/internal/shim/bundle"
)

func TestBindErrors(t *testing.T) {
	web := bundle.Port{Proto: "tcp", HostPort: 80, ContainerPort: 8080}
	six := bundle.Port{Proto: "tcp", HostIP: "::1", HostPort: 80, ContainerPort: 8080}
	for _, c := range []struct {
		port bundle.Port
		err  error
		want string
	}{
		{web, unix.EADDRINUSE, "Bind for 0.0.0.0:80 failed: port is already allocated; publish another one, or stop what listens there"},
		{six, unix.EADDRINUSE, "Bind for [::1]:80 failed: port is already allocated; publish another one, or stop what listens there"},
		{web, unix.EACCES, "Bind for 0.0.0.0:80 failed: ports below 1024 need root"},
		{web, unix.EADDRNOTAVAIL, "Bind for 0.0.0.0:80 failed: this machine has no such address"},
		{web, unix.EMFILE, "Bind for 0.0.0.0:80 failed: too many open files"},
	} {
		got := bindError(c.port, c.err).Error()
		if !strings.HasPrefix(got, c.want) {
			t.Errorf("%v: %q, want %q", c.err, got, c.want)
		}
		if strings.Contains(got, "permission denied") {
			t.Errorf("%q would become exit code 126", got)
		}
	}
}

func TestPublish(t *testing.T) {
	for _, p := range []bundle.Port{
		{Proto: "sctp", HostPort: 0, ContainerPort: 1},
		{Proto: "tcp", HostPort: 0, ContainerPort: 0},
		{Proto: "tcp", HostIP: "localhost", ContainerPort: 1},
		{Proto: "tcp", HostIP: "203.0.113.7", ContainerPort: 1},
	} {
		if bound, err := publish([]bundle.Port{p}, "x"); err == nil {
			unpublish(bound)
			t.Errorf("%+v was published", p)
		}
	}

	bound, err := publish([]bundle.Port{{HostIP: "127.0.0.1", ContainerPort: 1}, {HostIP: "::ffff:127.0.0.1", ContainerPort: 2, Proto: "udp"}}, "x")
	if err != nil {
		t.Fatal(err)
	}
	defer unpublish(bound)
	if bound[0].HostPort == 0 || bound[1].HostPort == 0 || bound[0].Proto != "tcp" {
		t.Errorf("bound %+v", bound)
	}
	// Where one of two cannot be bound, neither is.
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := netip.MustParseAddrPort(free.Addr().String()).Port()
	free.Close()
	_, err = publish([]bundle.Port{
		{HostIP: "127.0.0.1", HostPort: port, ContainerPort: 1},
		{HostIP: "127.0.0.1", HostPort: bound[0].HostPort, ContainerPort: 2},
	}, "web")
	var taken portTaken
	if !errors.As(err, &taken) {
		t.Errorf("a taken port gave %v", err)
	}
	again, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port))))
	if err != nil {
		t.Fatalf("the other port is still bound: %v", err)
	}
	again.Close()
}
