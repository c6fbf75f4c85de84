package policy

import (
	"fmt"
	"net/netip"
	"testing"
)

func TestSpecial(t *testing.T) {
	for addr, want := range map[string]string{
		"127.0.0.1": "127.0.0.0/8", "::ffff:127.0.0.1": "127.0.0.0/8", "0.0.0.0": "0.0.0.0/8", "169.254.169.254": "169.254.0.0/16",
		"168.63.129.16": "168.63.129.16/32", "192.0.0.192": "192.0.0.192/32", "224.0.0.1": "224.0.0.0/4", "255.255.255.255": "255.255.255.255/32",
		"::": "::/128", "::1": "::1/128", "::2": "::/96", "::ffff:0:1.2.3.4": "::ffff:0:0:0/96", "fe80::1": "fe80::/10", "fe80::1%eth0": "fe80::/10",
		"ff02::1": "ff00::/8", "fd20:ce::254": "fd20:ce::254/128",
		"8.8.8.8": "", "10.0.0.1": "", "2001:db8::1": "", "fd00::1": "", "64:ff9b::1.2.3.4": "",
	} {
		got := ""
		if p := Special(netip.MustParseAddr(addr)); p.IsValid() {
			got = p.String()
		}
		if got != want {
			t.Errorf("%s lies in %q, want %q", addr, got, want)
		}
	}
}

func TestMeaningless(t *testing.T) {
	for addr, want := range map[string]bool{
		"0.0.0.1": true, "0.127.0.1": true, "::ffff:0.0.0.1": true, "::127.0.0.1": true, "::2": true, "::ffff:0:127.0.0.1": true,
		"0.0.0.0": false, "::": false, "::1": false, "127.0.0.1": false, "::ffff:127.0.0.1": false, "8.8.8.8": false, "64:ff9b::1.2.3.4": false,
	} {
		if got := Meaningless(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: %v", addr, got)
		}
	}
}

func TestEmbedded(t *testing.T) {
	for addr, want := range map[string]string{
		"64:ff9b::192.0.2.33":           "[192.0.2.33]",
		"64:ff9b:1:c000:2:2100::":       "[192.0.2.33 2.33.0.0 0.0.0.0]",
		"2002:c000:221::1":              "[192.0.2.33]",
		"2001:0:c000:221::":             "[192.0.2.33 255.255.255.255]",
		"2001:0:808:808::3fff:fdde":     "[8.8.8.8 192.0.2.33]",
		"2001:db8::5efe:192.0.2.33":     "[192.0.2.33]",
		"2001:db8::200:5efe:192.0.2.33": "[192.0.2.33]",
		"::192.0.2.33":                  "[192.0.2.33]",
		"2001:db8::1":                   "[]",
		"::ffff:192.0.2.33":             "[]",
		"192.0.2.33":                    "[]",
	} {
		if got := fmt.Sprint(Embedded(netip.MustParseAddr(addr))); got != want {
			t.Errorf("%s carries %s, want %s", addr, got, want)
		}
	}
}

func TestNumeric(t *testing.T) {
	for host, want := range map[string]bool{
		"127.1": true, "0x7f.1": true, "2130706433": true, "0x7f000001": true, "0177.0.0.01": true, "127.0.0.1.": true, "a.0x": true, "1.2.3.0xZ": false,
		"": false, ".": false, "example.com": false, "x1": false, "1.example": false, "a.b2": false,
	} {
		if got := Numeric(host); got != want {
			t.Errorf("%q: %v", host, got)
		}
	}
}
