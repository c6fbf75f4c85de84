package disguise

import (
	"net/netip"
	"testing"
)

func TestCasesAreManyAndNamedApart(t *testing.T) {
	cases := Cases(netip.MustParseAddr("198.18.0.1"), netip.MustParseAddr("fd00::1"))
	if len(cases) < 60 {
		t.Errorf("%d cases", len(cases))
	}
	names := map[string]bool{}
	for _, c := range cases {
		if names[c.Name] {
			t.Errorf("two cases are called %q", c.Name)
		}
		names[c.Name] = true
		if c.Addr.IsValid() == (c.Host != "") {
			t.Errorf("%s: want an address or a name", c.Name)
		}
	}
}
