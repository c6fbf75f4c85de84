//go:build linux

package socket

import (
	"io"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// maxResolvConf bounds how much of a resolv.conf is read.
const maxResolvConf = 64 << 10

// resolvConf is what Wherry takes from a resolv.conf(5).
type resolvConf struct {
	servers []netip.AddrPort
	search  []string
	ndots   int
}

// readResolvConf reads a file. One that cannot be read has nothing in it: the
// guest's look-ups then answer that no server was found.
func readResolvConf(path string) resolvConf {
	f, err := os.Open(path)
	if err != nil {
		return parseResolvConf("")
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxResolvConf))
	if err != nil {
		return parseResolvConf("")
	}
	return parseResolvConf(string(b))
}

func parseResolvConf(text string) resolvConf {
	c := resolvConf{ndots: 1}
	for line := range strings.Lines(text) {
		if i := strings.IndexAny(line, "#;"); i >= 0 {
			line = line[:i]
		}
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		switch f[0] {
		case "nameserver":
			if addr, err := netip.ParseAddr(f[1]); err == nil && len(c.servers) < 3 {
				c.servers = append(c.servers, netip.AddrPortFrom(addr, 53))
			}
		case "domain":
			c.search = f[1:2]
		case "search":
			c.search = f[1:]
		case "options":
			for _, o := range f[1:] {
				if v, ok := strings.CutPrefix(o, "ndots:"); ok {
					if n, err := strconv.Atoi(v); err == nil && n >= 0 {
						c.ndots = min(n, 15)
					}
				}
			}
		}
	}
	return c
}
