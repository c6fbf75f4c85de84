package spec

import (
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/moby/api/types/network"

	"wherry/internal/daemon/admit"
	"wherry/internal/daemon/fault"
	"wherry/internal/daemon/record"
	"wherry/internal/shim/bundle"
)

// annotate makes the annotations. A user's own come first: none of them can
// take the place of the engine's.
func annotate(c *record.Container, p Places) (map[string]string, error) {
	a := map[string]string{}
	for k, v := range c.HostConfig.Annotations {
		if strings.HasPrefix(k, "dev.wherry.") {
			return nil, fault.Invalid("annotation %s: names that begin with dev.wherry. are the engine's own", k)
		}
		if err := bundle.CheckAnnotation(k, v); err != nil {
			return nil, fault.Invalid("%w", err)
		}
		a[k] = v
	}
	set := func(key, value string) {
		if value != "" {
			a[key] = value
		}
	}
	set(bundle.Name, c.Name)
	set(bundle.Runtime, c.HostConfig.Runtime)
	set(bundle.Engine, Engine(c.HostConfig.Runtime))
	set(bundle.ModuleDigest, p.ModuleDigest)
	set(bundle.Upper, p.Upper)
	set(bundle.Cache, p.Cache)
	if c.HostConfig.LogConfig.Type != "none" {
		set(bundle.LogPath, p.Log)
		size, files, err := admit.LogLimits(c.HostConfig.LogConfig)
		if err != nil {
			return nil, err
		}
		if size > 0 {
			set(bundle.LogMaxSize, strconv.FormatInt(size, 10))
			set(bundle.LogMaxFile, strconv.Itoa(files))
		}
	}
	switch {
	case c.Config.OpenStdin && c.Config.StdinOnce:
		a[bundle.Stdin] = bundle.StdinOnce
	case c.Config.OpenStdin:
		a[bundle.Stdin] = bundle.StdinOpen
	}
	return a, networking(c, a)
}

func networking(c *record.Container, a map[string]string) error {
	mode := admit.NetworkModeOf(c.Config, c.HostConfig)
	a[bundle.Network] = mode
	if mode == "none" {
		return nil
	}
	if mode != "host" {
		ports, err := Ports(c)
		if err != nil {
			return err
		}
		if len(ports) > 0 {
			if a[bundle.PublishedPorts], err = asJSON(ports); err != nil {
				return err
			}
		}
	}
	hosts, err := hostsOf(c)
	if err != nil {
		return err
	}
	if a[bundle.Hosts], err = asJSON(hosts); err != nil {
		return err
	}
	servers, search := resolvers(c)
	if a[bundle.DNS], err = asJSON(servers); err != nil {
		return err
	}
	if len(search) > 0 {
		a[bundle.Search], err = asJSON(search)
	}
	return err
}

// Ports lists the ports to publish: what -p asked for, and with -P every other
// exposed one on a free port.
func Ports(c *record.Container) ([]bundle.Port, error) {
	var ports []bundle.Port
	for port, bindings := range c.HostConfig.PortBindings {
		if len(bindings) == 0 {
			bindings = []network.PortBinding{{}}
		}
		for _, b := range bindings {
			n, err := admit.HostPort(b)
			if err != nil {
				return nil, err
			}
			ports = append(ports, bundle.Port{Proto: string(port.Proto()), HostIP: hostIP(b.HostIP), HostPort: n, ContainerPort: port.Num()})
		}
	}
	if c.HostConfig.PublishAllPorts {
		for port := range c.Config.ExposedPorts {
			if _, asked := c.HostConfig.PortBindings[port]; !asked {
				ports = append(ports, bundle.Port{Proto: string(port.Proto()), ContainerPort: port.Num()})
			}
		}
	}
	slices.SortFunc(ports, func(a, b bundle.Port) int {
		if n := int(a.ContainerPort) - int(b.ContainerPort); n != 0 {
			return n
		}
		return strings.Compare(a.Proto+a.HostIP, b.Proto+b.HostIP)
	})
	return ports, nil
}

func hostIP(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// hostsOf reads --add-host's NAME:ADDRESS, and adds the container's own name.
func hostsOf(c *record.Container) (map[string][]string, error) {
	hosts := map[string][]string{}
	for _, e := range c.HostConfig.ExtraHosts {
		name, addr, ok := strings.Cut(e, ":")
		addr = strings.Trim(addr, "[]")
		if addr == "host-gateway" {
			return nil, fault.NotBuilt("extra host %q: host-gateway is not built: a guest reaches no address of the host's own, so give another address", e)
		}
		if _, err := netip.ParseAddr(addr); !ok || err != nil || name == "" {
			return nil, fault.Invalid("invalid IP address in add-host: %q: want NAME:ADDRESS", e)
		}
		hosts[name] = append(hosts[name], addr)
	}
	if name := c.Config.Hostname; name != "" && hosts[name] == nil {
		hosts[name] = []string{"127.0.0.1"}
	}
	return hosts, nil
}

// resolvers are the name servers and search domains: the request's, else the
// host's at this moment.
func resolvers(c *record.Container) (servers, search []string) {
	for _, a := range c.HostConfig.DNS {
		servers = append(servers, a.String())
	}
	search = slices.Clone(c.HostConfig.DNSSearch)
	hostServers, hostSearch := parseResolvConf(readResolvConf())
	if len(servers) == 0 {
		servers = hostServers
	}
	if len(search) == 0 {
		search = hostSearch
	}
	// "--dns-search ." is Docker's way of saying none.
	search = slices.DeleteFunc(search, func(s string) bool { return s == "." })
	if servers == nil {
		servers = []string{}
	}
	return servers, search
}

func readResolvConf() string {
	b, err := os.ReadFile("/etc/resolv.conf")
	if err != nil {
		return "" // a host without one resolves nothing, and so does the guest
	}
	return string(b)
}

// parseResolvConf reads the nameserver and search lines, see resolv.conf(5).
func parseResolvConf(text string) (servers, search []string) {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		switch fields[0] {
		case "nameserver":
			if _, err := netip.ParseAddr(fields[1]); err == nil {
				servers = append(servers, fields[1])
			}
		case "search":
			search = fields[1:]
		case "domain":
			search = fields[1:2]
		}
	}
	return servers, slices.Clone(search)
}

// Validate checks what would otherwise fail at start only.
func Validate(c *record.Container, m func() admit.Machine) error {
	_, err := New(c, Places{Machine: m})
	return err
}

// Published turns the ports that a shim bound into the API's form.
func Published(bound []bundle.Port) network.PortMap {
	m := network.PortMap{}
	for _, b := range bound {
		port, ok := network.PortFrom(b.ContainerPort, network.IPProtocol(b.Proto))
		if !ok {
			continue
		}
		n := strconv.Itoa(int(b.HostPort))
		if b.HostIP != "" {
			ip, err := netip.ParseAddr(b.HostIP)
			if err != nil {
				continue
			}
			m[port] = append(m[port], network.PortBinding{HostIP: ip, HostPort: n})
			continue
		}
		// All addresses: Docker shows one binding for each family.
		m[port] = append(m[port],
			network.PortBinding{HostIP: netip.IPv4Unspecified(), HostPort: n},
			network.PortBinding{HostIP: netip.IPv6Unspecified(), HostPort: n})
	}
	return m
}
