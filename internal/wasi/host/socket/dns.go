//go:build linux

package socket

import (
	"crypto/rand"
	"errors"
	"net/netip"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/sys/unix"
)

// dnsAttempts is how often each server is asked (resolv.conf(5), attempts).
const dnsAttempts = 2

// maxAliases bounds how many aliases of one reply are followed.
const maxAliases = 16

// query asks for the addresses of an absolute name.
func (r *resolver) query(name string, family Family) ([]netip.Addr, string, error) {
	if len(name) > 254 {
		return nil, "", ErrNoName
	}
	qname, err := dnsmessage.NewName(name)
	if err != nil {
		return nil, "", ErrNoName
	}
	var out []netip.Addr
	var first error
	cname := name
	for _, q := range []struct {
		family Family
		typ    dnsmessage.Type
	}{{IPv4, dnsmessage.TypeA}, {IPv6, dnsmessage.TypeAAAA}} {
		if family != 0 && family != q.family {
			continue
		}
		addrs, c, err := r.question(dnsmessage.Question{Name: qname, Type: q.typ, Class: dnsmessage.ClassINET})
		if err != nil {
			if first == nil || errors.Is(first, ErrNoName) {
				first = err
			}
			continue
		}
		out, cname = append(out, addrs...), c
	}
	if len(out) > 0 {
		return out, cname, nil
	}
	if first == nil {
		first = ErrNoName
	}
	return nil, "", first
}

// question puts one question to the servers in turn.
func (r *resolver) question(q dnsmessage.Question) ([]netip.Addr, string, error) {
	last := error(ErrTryAgain)
	for range dnsAttempts {
		for _, server := range r.servers {
			reply, err := askServer(server, q)
			if errors.Is(err, ErrNoName) {
				return nil, "", err
			}
			if err != nil {
				continue // this server cannot be reached or is silent
			}
			addrs, cname, err := readReply(reply, q)
			if err == nil || errors.Is(err, ErrNoName) {
				return addrs, cname, err
			}
			last = err
		}
	}
	return nil, "", last
}

// askServer asks over UDP, and over TCP where the reply does not fit.
func askServer(server netip.AddrPort, q dnsmessage.Question) (*dnsmessage.Message, error) {
	var id [2]byte
	if _, err := rand.Read(id[:]); err != nil {
		return nil, err
	}
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: uint16(id[0])<<8 | uint16(id[1]), RecursionDesired: true},
		Questions: []dnsmessage.Question{q},
	}
	packed, err := m.Pack()
	if err != nil { // an empty or overlong label
		return nil, ErrNoName
	}
	reply, err := exchange(server, Datagram, packed, m.ID, q)
	if err == nil && reply.Truncated {
		reply, err = exchange(server, Stream, packed, m.ID, q)
	}
	return reply, err
}

// matches tells whether a message is the reply to a question: anybody can send
// us a datagram.
func matches(m *dnsmessage.Message, id uint16, q dnsmessage.Question) bool {
	return m.Response && m.ID == id && len(m.Questions) == 1 &&
		m.Questions[0].Type == q.Type && m.Questions[0].Class == q.Class &&
		canonical(m.Questions[0].Name.String()) == canonical(q.Name.String())
}

// readReply takes the addresses, following aliases inside the reply.
func readReply(m *dnsmessage.Message, q dnsmessage.Question) ([]netip.Addr, string, error) {
	switch m.RCode {
	case dnsmessage.RCodeSuccess:
	case dnsmessage.RCodeNameError:
		return nil, "", ErrNoName
	default:
		return nil, "", ErrServer
	}
	name := q.Name
	var out []netip.Addr
	for range min(len(m.Answers)+1, maxAliases) {
		alias := false
		for _, a := range m.Answers {
			if canonical(a.Header.Name.String()) != canonical(name.String()) {
				continue
			}
			switch b := a.Body.(type) {
			case *dnsmessage.AResource:
				if q.Type != dnsmessage.TypeA {
					continue // not what was asked
				}
				out = append(out, netip.AddrFrom4(b.A))
			case *dnsmessage.AAAAResource:
				if q.Type != dnsmessage.TypeAAAA {
					continue
				}
				out = append(out, netip.AddrFrom16(b.AAAA))
			case *dnsmessage.CNAMEResource:
				name, alias = b.CNAME, true
			}
		}
		if len(out) > 0 {
			return out, name.String(), nil
		}
		if !alias {
			break
		}
	}
	return nil, "", ErrNoName
}

// dial opens a socket of the host's, not of the guest's, to a name server.
func dial(server netip.AddrPort, t Type) (int, error) {
	family, domain, typ := IPv4, unix.AF_INET, unix.SOCK_STREAM
	if !server.Addr().Unmap().Is4() {
		family, domain = IPv6, unix.AF_INET6
	}
	if t == Datagram {
		typ = unix.SOCK_DGRAM
	}
	var a sockaddr
	if err := a.encode(family, server); err != nil {
		return -1, err
	}
	fd, err := unix.Socket(domain, typ|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, err
	}
	if err := sysConnect(fd, &a); err != nil && err != unix.EINPROGRESS {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}
