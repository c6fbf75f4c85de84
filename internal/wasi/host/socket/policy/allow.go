package policy

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/containerd/errdefs"
)

// Bounds of a list.
const (
	maxRules = 1024
	maxRule  = 300 // bytes of one entry; a name has at most 253
)

// None is the list that allows nothing, as users write it.
const None = "none"

// Allow is an allow list. The zero value allows nothing.
type Allow struct {
	addresses []addressRule
	names     []nameRule
}

// addressRule allows addresses. It allows an ordinary address that its prefix
// covers, and a special one only where it lies within the special range.
type addressRule struct {
	prefix netip.Prefix // not valid for "*", any address
	port   uint16       // 0 is any
}

// nameRule allows a name, or what is below it.
type nameRule struct {
	name  string // canonical; "" for any name
	below bool   // names that end in .name, and not name itself
	port  uint16
}

// Split reads a list as it is written in one line: entries separated by commas
// or blanks, or "none" for the empty list.
func Split(text string) ([]string, error) {
	list := strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' })
	if len(list) == 1 && list[0] == None {
		return []string{}, nil
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("the list is empty; want entries such as api.example.com:443 or 10.0.0.0/8:*, or %s: %w", None, errdefs.ErrInvalidArgument)
	}
	if len(list) > maxRules {
		return nil, fmt.Errorf("the list has %d entries, of at most %d: %w", len(list), maxRules, errdefs.ErrInvalidArgument)
	}
	return list, nil
}

// ParseAllow reads a list whose entries have the form HOST:PORT. A port is a
// number from 1 to 65535, or "*". A host is
//
//	api.example.com    a name, and no other
//	*.example.com      any name below, at any depth, and not example.com itself
//	192.0.2.1          an address; an IPv6 address stands in brackets, [2001:db8::1]
//	10.0.0.0/8         a prefix; [2001:db8::/32] of IPv6
//	*                  any address and any name
//
// Entries hold for TCP and UDP alike. Errors are errdefs.ErrInvalidArgument and
// name the entry.
func ParseAllow(list []string) (Allow, error) {
	var a Allow
	if len(list) > maxRules {
		return a, fmt.Errorf("%d entries, of at most %d: %w", len(list), maxRules, errdefs.ErrInvalidArgument)
	}
	for _, entry := range list {
		if err := a.add(entry); err != nil {
			return Allow{}, fmt.Errorf("%.300q: %w: %w", entry, err, errdefs.ErrInvalidArgument)
		}
	}
	return a, nil
}

// add reads one entry.
func (a *Allow) add(entry string) error {
	if entry == None {
		return fmt.Errorf("%s stands alone", None)
	}
	if len(entry) > maxRule {
		return fmt.Errorf("it is longer than %d bytes", maxRule)
	}
	i := strings.LastIndexByte(entry, ':')
	if i < 0 {
		return errors.New("want HOST:PORT, such as api.example.com:443; the port * is any")
	}
	host, text := entry[:i], entry[i+1:]
	port := uint16(0)
	if text != "*" {
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil || n == 0 || text[0] == '0' || text[0] == '+' {
			return fmt.Errorf("port %q: want a number from 1 to 65535, or *", text)
		}
		port = uint16(n)
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, closed := strings.CutSuffix(inner, "]")
		if !closed {
			return errors.New("want the bracket closed before the port: [2001:db8::1]:443")
		}
		return a.addAddress(inner, true, port)
	}
	switch {
	case strings.Contains(host, ":"):
		return errors.New("an IPv6 address stands in brackets: [2001:db8::1]:443")
	case host == "*":
		a.addresses = append(a.addresses, addressRule{port: port})
		a.names = append(a.names, nameRule{port: port})
		return nil
	case strings.Contains(host, "/") || numeric(host):
		return a.addAddress(host, false, port)
	}
	below, name := false, host
	if rest, ok := strings.CutPrefix(host, "*."); ok {
		below, name = true, rest
	}
	name = Canonical(name)
	if err := checkName(name); err != nil {
		return err
	}
	a.names = append(a.names, nameRule{name: name, below: below, port: port})
	return nil
}

// addAddress reads an address or a prefix.
func (a *Allow) addAddress(text string, six bool, port uint16) error {
	if strings.Contains(text, "%") {
		return errors.New("a zone cannot be given: a guest has no interfaces to choose from")
	}
	prefix, err := netip.ParsePrefix(text)
	if !strings.Contains(text, "/") {
		var addr netip.Addr
		if addr, err = netip.ParseAddr(text); err == nil {
			prefix = netip.PrefixFrom(addr, addr.BitLen())
		}
	}
	switch {
	case err != nil && six:
		return fmt.Errorf("%q is no IPv6 address or prefix", text)
	case err != nil:
		return fmt.Errorf("%q is no IPv4 address of four decimal numbers, and no prefix such as 10.0.0.0/8", text)
	case six && (prefix.Addr().Is4() || prefix.Addr().Is4In6()):
		return errors.New("an IPv4 address stands without brackets, in four decimal numbers")
	case prefix != prefix.Masked():
		return fmt.Errorf("%s has bits beside its prefix; want %s", prefix, prefix.Masked())
	case Meaningless(prefix.Addr()) && Special(prefix.Addr()).Bits() <= prefix.Bits():
		return fmt.Errorf("nothing may be sent to %s: the form is another name of IPv4 addresses", prefix)
	case prefix.Addr().IsUnspecified() && prefix.IsSingleIP():
		return fmt.Errorf("%s is no address to connect to; name the loopback 127.0.0.1 or [::1]", prefix.Addr())
	}
	a.addresses = append(a.addresses, addressRule{prefix, port})
	return nil
}

// Canonical is the form that names are compared in: lower case and without the
// dot at the end.
func Canonical(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// checkName holds a name against RFC 1035 2.3.4, and against RFC 1123 2.1 with
// the underscore that many use.
func checkName(name string) error {
	if len(name) > 253 {
		return errors.New("the name is longer than 253 bytes")
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" {
			return errors.New("the name has an empty part, or none")
		}
		if len(label) > 63 {
			return errors.New("a part of the name is longer than 63 bytes")
		}
		for _, c := range []byte(label) {
			switch {
			case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
			case c >= 0x80:
				return errors.New("want the name in its ASCII form, xn--…")
			case c == '*':
				return errors.New("* stands for all of a host, or first as in *.example.com")
			default:
				return fmt.Errorf("the name has the character %q", c)
			}
		}
	}
	if numeric(name) {
		return errors.New("this is neither an address of four decimal numbers nor a name")
	}
	return nil
}

// numeric tells whether a host is meant as an IPv4 address, in whatever form:
// its last part is a number, decimal, octal or hexadecimal (WHATWG URL, "ends
// in a number"; inet_aton(3)). Names never look like that.
func numeric(host string) bool {
	host = strings.TrimSuffix(host, ".")
	last := host[strings.LastIndexByte(host, '.')+1:]
	if last == "" {
		return false
	}
	if hex, ok := strings.CutPrefix(strings.ToLower(last), "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return strings.Trim(last, "0123456789") == ""
}

// Numeric tells whether a host looks like an IPv4 address to some resolver,
// such as 127.1, 0x7f000001 or 2130706433; names that do are never asked for.
func Numeric(host string) bool { return numeric(host) }
