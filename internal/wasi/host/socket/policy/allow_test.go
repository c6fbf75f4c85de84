package policy

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
)

func parse(t *testing.T, list ...string) Allow {
	t.Helper()
	a, err := ParseAllow(list)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAddress(t *testing.T) {
	for _, c := range []struct {
		rule, to string
		want     bool
	}{
		{"192.0.2.1:443", "192.0.2.1:443", true},
		{"192.0.2.1:443", "[::ffff:192.0.2.1]:443", true},
		{"192.0.2.1:443", "192.0.2.1:80", false},
		{"192.0.2.1:443", "192.0.2.2:443", false},
		{"192.0.2.1:*", "192.0.2.1:80", true},
		{"10.0.0.0/8:5432", "10.255.0.1:5432", true},
		{"10.0.0.0/8:5432", "11.0.0.1:5432", false},
		{"10.0.0.0/8:5432", "[64:ff9b::a00:1]:5432", false},
		{"[2001:db8::1]:443", "[2001:db8::1]:443", true},
		{"[2001:db8::/32]:443", "[2001:db8:ffff::1]:443", true},
		{"[2001:db8::/32]:443", "[2001:db9::1]:443", false},
		{"*:443", "203.0.113.9:443", true},
		{"*:443", "[2001:db8::1]:443", true},
		{"*:443", "203.0.113.9:80", false},
		// No wide rule means what is special.
		{"*:*", "127.0.0.1:80", false},
		{"*:*", "169.254.169.254:80", false},
		{"*:*", "[::1]:80", false},
		{"*:*", "[::ffff:127.0.0.1]:80", false},
		{"*:*", "[fe80::1]:80", false},
		{"*:*", "[fd00:ec2::254]:80", false},
		{"*:*", "100.100.100.200:80", false},
		{"*:*", "224.0.0.1:80", false},
		{"0.0.0.0/0:*", "169.254.169.254:80", false},
		{"0.0.0.0/0:*", "127.0.0.1:80", false},
		{"100.64.0.0/10:*", "100.100.100.200:80", false},
		{"[::/0]:*", "[::1]:80", false},
		{"[fd00::/8]:*", "[fd00:ec2::254]:80", false},
		{"0.0.0.0/0:*", "8.8.8.8:53", true},
		{"169.254.169.254:80", "169.254.169.254:80", true},
		{"169.254.0.0/16:80", "169.254.169.254:80", true},
		{"127.0.0.0/8:80", "127.0.0.1:80", true},
		{"127.0.0.1:80", "127.0.0.2:80", false},
		{"100.100.100.200:80", "100.100.100.200:80", true},
		{"api.example.com:443", "192.0.2.1:443", false},
	} {
		if got := parse(t, c.rule).Address(netip.MustParseAddrPort(c.to)); got != c.want {
			t.Errorf("%s, to %s: %v", c.rule, c.to, got)
		}
	}
	a := parse(t, "10.0.0.1:80", "10.0.0.0/8:*")
	for to, want := range map[string]bool{"10.0.0.1:80": true, "[::ffff:10.0.0.1]:80": true, "10.0.0.1:81": false, "10.0.0.2:80": false} {
		if got := a.Exactly(netip.MustParseAddrPort(to)); got != want {
			t.Errorf("exactly %s: %v", to, got)
		}
	}
}

func TestName(t *testing.T) {
	for _, c := range []struct {
		rule, name string
		port       uint16
		want       bool
	}{
		{"api.example.com:443", "api.example.com", 443, true},
		{"api.example.com:443", "API.Example.COM.", 443, true},
		{"API.example.com.:443", "api.example.com", 443, true},
		{"api.example.com:443", "api.example.com", 80, false},
		{"api.example.com:*", "api.example.com", 80, true},
		{"api.example.com:443", "x.api.example.com", 443, false},
		{"api.example.com:443", "example.com", 443, false},
		{"api.example.com:443", "api.example.com.evil.test", 443, false},
		{"api.example.com:443", "evilapi.example.com", 443, false},
		{"*.example.com:443", "a.example.com", 443, true},
		{"*.example.com:443", "a.b.example.com", 443, true},
		{"*.example.com:443", "example.com", 443, false},
		{"*.example.com:443", ".example.com", 443, false},
		{"*.example.com:443", "evilexample.com", 443, false},
		{"db:5432", "db", 5432, true},
		{"*:443", "anything.test", 443, false}, // its addresses are allowed in any case
		{"*:443", "anything.test", 80, false},
		{"192.0.2.1:443", "192.0.2.1", 443, false},
	} {
		a := parse(t, c.rule)
		if got := a.NamePort(c.name, c.port); got != c.want {
			t.Errorf("%s, %s port %d: %v", c.rule, c.name, c.port, got)
		}
		if c.want && !a.Name(c.name) {
			t.Errorf("%s does not let %s be resolved", c.rule, c.name)
		}
	}
	if a := parse(t, "*:443"); !a.Name("anything.test") {
		t.Error("a list of any address lets no name be resolved")
	}
	a := parse(t, "a.test:443", "b.test:*", "c.test:80", "*.d.test:443", "*:443")
	if got := strings.Join(a.Names(443), " "); got != "a.test b.test" {
		t.Errorf("names of port 443: %s", got)
	}
	if !a.HasNames() || parse(t, "*:443", "10.0.0.0/8:*").HasNames() {
		t.Error("what depends on names is told wrongly")
	}
	if !(Allow{}).Empty() || a.Empty() {
		t.Error("what is empty is told wrongly")
	}
}

func TestRefusals(t *testing.T) {
	for entry, want := range map[string]string{
		"":                                    "want HOST:PORT",
		"example.com":                         "want HOST:PORT",
		"example.com:":                        "port \"\"",
		"example.com:0":                       "from 1 to 65535",
		"example.com:65536":                   "from 1 to 65535",
		"example.com:+80":                     "from 1 to 65535",
		"example.com:080":                     "from 1 to 65535",
		"example.com:http":                    "from 1 to 65535",
		":80":                                 "empty part",
		"a..b:80":                             "empty part",
		".a:80":                               "empty part",
		"none":                                "stands alone",
		"exa mple.com:80":                     "character ' '",
		"example.com/x:80":                    "no IPv4 address",
		"http://example.com:80":               "IPv6 address stands in brackets",
		"user@example.com:80":                 "character '@'",
		"bücher.example:80":                   "xn--",
		"a.*.example.com:80":                  "first as in *.example.com",
		"**.example.com:80":                   "first as in *.example.com",
		"*.:80":                               "empty part",
		"2001:db8::1:80":                      "in brackets",
		"[2001:db8::1:80":                     "bracket closed",
		"[2001:db8::1]x:80":                   "bracket closed",
		"[192.0.2.1]:80":                      "without brackets",
		"[::ffff:192.0.2.1]:80":               "without brackets",
		"[fe80::1%eth0]:80":                   "zone",
		"[::1.2.3.4]:80":                      "another name",
		"[::ffff:0:1.2.3.4]:80":               "another name",
		"0.0.0.0:80":                          "no address to connect to",
		"[::]:80":                             "no address to connect to",
		"0.1.2.3:80":                          "another name",
		"127.1:80":                            "four decimal numbers",
		"0x7f000001:80":                       "four decimal numbers",
		"2130706433:80":                       "four decimal numbers",
		"0177.0.0.1:80":                       "four decimal numbers",
		"1.2.3.4.:80":                         "four decimal numbers",
		"a.123:80":                            "four decimal numbers",
		"10.0.0.1/8:80":                       "want 10.0.0.0/8",
		"10.0.0.0/33:80":                      "no IPv4 address",
		"[2001:db8::1/32]:80":                 "want 2001:db8::/32",
		strings.Repeat("a", 64) + ".test:80":  "63 bytes",
		strings.Repeat("a.", 127) + "ab:80":   "253 bytes",
		strings.Repeat("a.", 150) + "test:80": "300 bytes",
	} {
		_, err := ParseAllow([]string{"ok.test:1", entry})
		if err == nil || !strings.Contains(err.Error(), want) || !errdefs.IsInvalidArgument(err) {
			t.Errorf("%q: %v, want %q", entry, err, want)
		}
	}
	if _, err := ParseAllow(make([]string, maxRules+1)); !errdefs.IsInvalidArgument(err) {
		t.Errorf("a list without end: %v", err)
	}
}

func TestSplit(t *testing.T) {
	for text, want := range map[string]string{"none": "", "a:1": "a:1", "a:1, b:2,,c:3 ": "a:1|b:2|c:3"} {
		if got, err := Split(text); err != nil || got == nil || strings.Join(got, "|") != want {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	for _, text := range []string{"", " , ", strings.Repeat("a:1,", maxRules+1)} {
		if got, err := Split(text); !errdefs.IsInvalidArgument(err) {
			t.Errorf("%.20q: %q, %v", text, got, err)
		}
	}
	list, err := Split("none,a:1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParseAllow(list); !errdefs.IsInvalidArgument(err) {
		t.Errorf("none among others: %v", err)
	}
}

// FuzzAllow reads lists that a user wrote, and holds what they allow against
// what no list may mean.
func FuzzAllow(f *testing.F) {
	for _, s := range []string{"none", "api.example.com:443,10.0.0.0/8:*", "[2001:db8::/32]:1", "*.a:*", "*:*", "127.1:1", "[::ffff:1.2.3.4]:1", "1.2.3.4/31:2"} {
		f.Add(s, "127.0.0.1:1", "localhost")
	}
	f.Add("0.0.0.0/0:*", "169.254.169.254:80", "a.b")
	f.Fuzz(func(t *testing.T, text, to, name string) {
		list, err := Split(text)
		if err != nil {
			return
		}
		a, err := ParseAllow(list)
		if err != nil {
			if !errdefs.IsInvalidArgument(err) {
				t.Fatalf("%v is not classified", err)
			}
			return
		}
		if again, err := ParseAllow(list); err != nil || again.Empty() != a.Empty() {
			t.Fatalf("a second reading: %v", err)
		}
		if a.Name(name) && strings.Contains(Canonical(name), "*") && !strings.Contains(text, "*") {
			t.Fatalf("%q allows the name %q", text, name)
		}
		at, err := netip.ParseAddrPort(to)
		if err != nil {
			return
		}
		if range_ := Special(at.Addr()); a.Address(at) && range_.IsValid() && !within(a, range_) {
			t.Fatalf("%q allows %s, which is special", text, to)
		}
		if a.Exactly(at) && !a.Address(at) {
			t.Fatalf("%q allows %s exactly, and not at all", text, to)
		}
	})
}

// within tells whether some rule lies within a range.
func within(a Allow, p netip.Prefix) bool {
	for _, r := range a.addresses {
		if r.prefix.IsValid() && p.Contains(r.prefix.Addr()) && r.prefix.Bits() >= p.Bits() {
			return true
		}
	}
	return false
}
