package test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"wherry/internal/testutil/disguise"
	"wherry/internal/testutil/netns"
	"wherry/internal/testutil/wherry"
)

const policyMark = "WHERRY_TEST_POLICY"

// TestNetworkPolicy holds guests against the network policy, on each engine, in
// a network of its own with another machine beside it.
func TestNetworkPolicy(t *testing.T) {
	if os.Getenv(policyMark) == "" {
		wherry.Programs(t)
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := netns.Command(t, self, "-test.run=^TestNetworkPolicy$", "-test.v")
		cmd.Env = append(cmd.Env, policyMark+"=1")
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestNetworkPolicy") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	far := netns.NewFar(t)
	far.Route(t)
	g := &guests{wherry.Start(t), t}
	g.image("probe", compileProbe(t))
	w := newWorld(t, far)
	for _, topic := range []struct {
		name string
		test func(t *testing.T, g *guests, w *world)
	}{
		{"disguises", testPolicyDisguises}, {"allow list", testAllowList}, {"rebinding", testRebinding},
		{"redirects", testRedirects}, {"published only", testPublishedOnly}, {"bad lists", testBadLists},
	} {
		t.Run(topic.name, func(t *testing.T) { topic.test(t, g, w) })
	}
}

// world is what a guest could reach: services of its host, and another machine
// with a service and a name server.
type world struct {
	far *netns.Far
	own []netip.Addr
	// port is that of the services, hit counts those of the host: connections,
	// then datagrams.
	port uint16
	hit  [2]atomic.Int64

	mu    sync.Mutex
	names map[string]netip.Addr
	asked []string
}

func newWorld(t *testing.T, far *netns.Far) *world {
	t.Helper()
	w := &world{far: far, names: map[string]netip.Addr{}}
	list, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, a := range list {
		texts = append(texts, a.String())
	}
	if w.own, err = disguise.Own(texts); err != nil || len(w.own) < 2 {
		t.Fatalf("own addresses %v, %v", w.own, err)
	}
	// The host's services, on all of its addresses.
	tcp, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	w.port = uint16(tcp.Addr().(*net.TCPAddr).Port)
	udp, err := net.ListenPacket("udp", fmt.Sprintf(":%d", w.port))
	if err != nil {
		t.Fatal(err)
	}
	go accept(tcp, func(c net.Conn) { w.hit[0].Add(1); io.WriteString(c, "the host's\n") })
	go receive(udp, func([]byte) []byte { w.hit[1].Add(1); return []byte("counted") })

	// The other machine's.
	var ftcp, web net.Listener
	var names net.PacketConn
	far.Do(func() {
		var e [3]error
		ftcp, e[0] = net.Listen("tcp", fmt.Sprintf(":%d", w.port))
		web, e[1] = net.Listen("tcp4", far.Addr.String()+":80")
		names, e[2] = net.ListenPacket("udp4", far.Addr.String()+":53")
		err = errors.Join(e[:]...)
	})
	if err != nil {
		t.Fatal(err)
	}
	go accept(ftcp, func(c net.Conn) { io.WriteString(c, "far away\n") })
	go receive(names, w.answer)
	server := &http.Server{Handler: http.HandlerFunc(w.redirect)}
	go server.Serve(web)
	t.Cleanup(func() {
		for _, c := range []io.Closer{tcp, udp, ftcp, names, server} {
			c.Close()
		}
	})
	return w
}

// hits tells how often guests got to the host's services since it was last
// called. A connection and a datagram of its own come behind all others.
func (w *world) hits(t *testing.T) int64 {
	t.Helper()
	for i, network := range []string{"tcp", "udp"} {
		c, err := net.Dial(network, fmt.Sprintf("127.0.0.1:%d", w.port))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if i == 0 { // is answered once it is counted
			_, err = io.ReadAll(c)
		} else if _, err = io.WriteString(c, "marker"); err == nil {
			_, err = c.Read(make([]byte, 16))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return w.hit[0].Swap(0) + w.hit[1].Swap(0) - 2
}

func accept(l net.Listener, serve func(net.Conn)) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		serve(c)
		c.Close()
	}
}

func receive(c net.PacketConn, serve func([]byte) []byte) {
	b := make([]byte, 1500)
	for {
		n, from, err := c.ReadFrom(b)
		if err != nil {
			return
		}
		if reply := serve(b[:n]); reply != nil {
			c.WriteTo(reply, from)
		}
	}
}

// redirect sends a client elsewhere, as its query says.
func (w *world) redirect(out http.ResponseWriter, r *http.Request) {
	if to := r.URL.Query().Get("to"); to != "" {
		http.Redirect(out, r, to, http.StatusFound)
		return
	}
	fmt.Fprintln(out, "far page")
}

// name sets what a name has.
func (w *world) name(name string, addr netip.Addr) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.names[name+"."] = addr
}

// questions gives what the name server was asked since it was last called.
func (w *world) questions() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer func() { w.asked = nil }()
	return strings.Join(w.asked, " ")
}

// answer is the name server's.
func (w *world) answer(query []byte) []byte {
	var m dnsmessage.Message
	if m.Unpack(query) != nil || len(m.Questions) != 1 {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	q := m.Questions[0]
	w.asked = append(w.asked, q.Name.String())
	m.Response, m.Additionals = true, nil
	h := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 0}
	switch addr, found := w.names[q.Name.String()]; {
	case !found:
		m.RCode = dnsmessage.RCodeNameError
	case addr.Is4() && q.Type == dnsmessage.TypeA:
		m.Answers = []dnsmessage.Resource{{Header: h, Body: &dnsmessage.AResource{A: addr.As4()}}}
	case addr.Is6() && q.Type == dnsmessage.TypeAAAA:
		m.Answers = []dnsmessage.Resource{{Header: h, Body: &dnsmessage.AAAAResource{AAAA: addr.As16()}}}
	}
	reply, err := m.Pack()
	if err != nil {
		return nil
	}
	return reply
}

// connect is the option that makes a list the guest's.
func connect(list string) []string {
	if list == "" {
		return nil
	}
	return []string{"--annotation", "wherry.connect=" + list}
}

// No disguise of the host gets a guest to it, whatever the list.
func testPolicyDisguises(t *testing.T, g *guests, w *world) {
	source, err := filepath.Abs("testdata/disguise/disguise.c")
	if err != nil {
		t.Fatal(err)
	}
	g.image("disguise", compileC(t, source))
	cases := disguise.Cases(w.own...)
	if len(cases) < 60 {
		t.Fatalf("%d cases", len(cases))
	}
	args := []string{"disguise", fmt.Sprint(w.port)}
	for _, c := range cases {
		switch {
		case c.Addr.IsValid():
			args = append(args, hex.EncodeToString(c.Addr.AsSlice()))
		case !strings.Contains(c.Host, "\x00"): // which no argument can have
			args = append(args, "@"+c.Host)
		}
	}
	w.name("rebound.example", w.own[0])
	args = append(args, "@rebound.example", hex.EncodeToString(w.far.Addr.AsSlice()))
	on(t, func(t *testing.T, options ...string) {
		for _, list := range []string{"", "*:*", "0.0.0.0/0:*,[::/0]:*", "rebound.example:*,localhost:*", "none"} {
			run := append(append(options, "--dns", w.far.Addr.String()), connect(list)...)
			out, stderr, code := g.probe(run, args...)
			if lines := strings.Count(out, "\n"); code != 0 || lines < 60 {
				t.Errorf("list %q: %d, %d lines: %s%s", list, code, lines, out, stderr)
			}
			// To the other machine the same guest gets where it may.
			free := strings.HasPrefix(list, "*") || strings.HasPrefix(list, "0") || list == ""
			target := args[len(args)-1]
			if reached := strings.Contains(out, target+" 26 0 0\n") || strings.Contains(out, target+" 0 0 0\n"); reached != free {
				t.Errorf("list %q, another machine: %v\n%s", list, reached, out)
			}
		}
		if n := w.hits(t); n != 0 {
			t.Errorf("the host's services were reached %d times", n)
		}
		// The same guest reaches them where that is granted.
		if _, stderr, code := g.probe(append(options, "--network", "host", "--dns", w.far.Addr.String()), args...); code != 0 {
			t.Errorf("host mode: %d %s", code, stderr)
		}
		if n := w.hits(t); n < 20 {
			t.Errorf("on the host's network it reaches them %d times only", n)
		}
	})
}

// trial is what a guest tries, and a part of what comes of it.
type trial struct{ verb, target, want string }

// try has one guest with a list try all of that.
func (w *world) try(t *testing.T, g *guests, options []string, list string, trials ...trial) {
	t.Helper()
	run := append(append(options, "--dns", w.far.Addr.String()), connect(list)...)
	args := []string{"probe"}
	for _, c := range trials {
		args = append(args, "try", c.verb, c.target)
	}
	out, stderr, code := g.probe(run, args...)
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if code != 0 || len(lines) != len(trials) {
		t.Errorf("list %q: %d, %d lines: %s%s", list, code, len(lines), out, stderr)
		return
	}
	for i, c := range trials {
		if !strings.Contains(lines[i], c.want) {
			t.Errorf("list %q, %s %s: %s; want %q", list, c.verb, c.target, lines[i], c.want)
		}
	}
}

const (
	reached   = "far away"
	page      = "far page"
	forbidden = "Permission denied"
	refused   = "refused"
	unknown   = "no such host"
)

func testAllowList(t *testing.T, g *guests, w *world) {
	w.name("api.example.com", w.far.Addr)
	w.name("six.example.com", netns.Far6)
	w.name("evil.example.org", w.far.Addr)
	at := func(host string) string { return net.JoinHostPort(host, fmt.Sprint(w.port)) }
	api, six, evil, self := at("api.example.com"), at("six.example.com"), at("evil.example.org"), at("127.0.0.1")
	far, far6, mapped := at(w.far.Addr.String()), at(netns.Far6.String()), at("::ffff:"+w.far.Addr.String())
	on(t, func(t *testing.T, options ...string) {
		w.questions()
		for _, c := range []struct {
			list   string
			trials []trial
		}{
			{"", []trial{{"dial", far, reached}, {"dial", api, reached}, {"dial", evil, reached}, {"dial", far6, reached}}},
			// An address of a name is looked up by the host.
			{api, []trial{{"dial", far, reached}, {"dial", api, reached}, {"dial", "api.example.com:80", forbidden}, {"dial", far6, forbidden}}},
			{"api.example.com:443", []trial{{"dial", api, forbidden}, {"dial", far, forbidden}}},
			{"six.example.com:*", []trial{{"dial", far6, reached}, {"dial", six, reached}, {"dial", far, forbidden}}},
			// Of a pattern it is known once somebody has asked for the name.
			{"*.example.com:*", []trial{{"dial", far, forbidden}, {"dial", api, reached}, {"dial", far, reached}, {"dial", evil, unknown}}},
			{far, []trial{{"dial", far, reached}, {"dial", mapped, reached}, {"dial", far6, forbidden}}},
			{"198.18.0.0/24:*,[fd00:5::/64]:*", []trial{{"dial", far, reached}, {"dial", far6, reached}, {"dial", "192.0.2.1:80", forbidden}}},
		} {
			w.try(t, g, options, c.list, c.trials...)
		}
		w.questions()
		w.try(t, g, options, "api.example.com:443,"+far, trial{"dial", evil, unknown}, trial{"dial", at("x.api.example.com"), unknown})
		w.try(t, g, options, "none", trial{"dial", far, forbidden}, trial{"dial", api, unknown}, trial{"dial", self, refused})
		if got := w.questions(); got != "" {
			t.Errorf("names that are not on the list were asked for: %s", got)
		}
		// Names that the owner gave need no name server.
		owner := append(options, "--add-host", "db:"+w.far.Addr.String())
		w.try(t, g, owner, at("db"), trial{"dial", far, reached}, trial{"dial", at("db"), reached}, trial{"dial", "db:1", forbidden})
	})
	if n := w.hits(t); n != 0 {
		t.Errorf("the host's services were reached %d times", n)
	}
}

// Names that the list has become the host.
func testRebinding(t *testing.T, g *guests, w *world) {
	var trials []trial
	for i, addr := range append([]netip.Addr{
		netip.MustParseAddr("127.0.0.1"), netip.IPv4Unspecified(), netip.IPv6Loopback(), netip.MustParseAddr("::ffff:127.0.0.1"),
		netip.MustParseAddr("169.254.169.254"), netip.MustParseAddr("64:ff9b::127.0.0.1"),
	}, w.own...) {
		name := fmt.Sprintf("n%d.turncoat.example", i)
		w.name(name, addr)
		trials = append(trials, trial{"dial", net.JoinHostPort(name, fmt.Sprint(w.port)), unknown})
	}
	w.name("turncoat.example", w.far.Addr)
	at := net.JoinHostPort("turncoat.example", fmt.Sprint(w.port))
	on(t, func(t *testing.T, options ...string) {
		w.try(t, g, options, "*.turncoat.example:*,turncoat.example:*", append(trials, trial{"dial", at, reached})...)
		// Without a list the names are the guest's own, which is nobody here.
		for i := range trials {
			trials[i].want = "dial"
		}
		w.try(t, g, options, "", trials...)
		for i := range trials {
			trials[i].want = unknown
		}
	})
	if n := w.hits(t); n != 0 {
		t.Errorf("the host's services were reached %d times", n)
	}
}

// A page that is allowed sends the guest elsewhere.
func testRedirects(t *testing.T, g *guests, w *world) {
	w.name("api.example.com", w.far.Addr)
	w.name("evil.example.org", w.far.Addr)
	trials := []trial{{"get", "http://api.example.com/", page}}
	for _, c := range []struct{ to, want string }{
		{"/", page},
		{fmt.Sprintf("http://api.example.com:%d/", w.port), forbidden},
		{fmt.Sprintf("http://%s:%d/", w.far.Addr, w.port), forbidden},
		{"http://evil.example.org/", unknown},
		{fmt.Sprintf("http://127.0.0.1:%d/", w.port), refused},
		{fmt.Sprintf("http://[::ffff:7f00:1]:%d/", w.port), refused},
		{fmt.Sprintf("http://%s:%d/", w.own[0], w.port), refused},
		{fmt.Sprintf("http://2130706433:%d/", w.port), unknown},
		{"http://169.254.169.254/latest/meta-data/", forbidden},
	} {
		trials = append(trials, trial{"get", "http://api.example.com/?to=" + url.QueryEscape(c.to), c.want})
	}
	on(t, func(t *testing.T, options ...string) { w.try(t, g, options, "api.example.com:80", trials...) })
	if n := w.hits(t); n != 0 {
		t.Errorf("the host's services were reached %d times", n)
	}
}

// With published ports alone a guest answers, over TCP and UDP, and begins
// nothing.
func testPublishedOnly(t *testing.T, g *guests, w *world) {
	source, err := filepath.Abs("testdata/sockets/sockets.c")
	if err != nil {
		t.Fatal(err)
	}
	module := compileC(t, "-DABI=2", source)
	on(t, func(t *testing.T, options ...string) {
		run := append(options, connect("none")...)
		id := g.detach(t, append(run, "-p", "127.0.0.1::8080"), "probe", "serve", ":8080", "dial", "127.0.0.1:8080", "sleep")
		follow(t, g, id, "sleeping")
		if got := dial(t, "tcp", g.Must("port", id, "8080/tcp"), ""); got != "served :8080\n" {
			t.Errorf("from outside: %q", got)
		}
		id = g.detach(t, append(run, "-p", "127.0.0.1:0:5353/udp"), module, "udp", "5353")
		follow(t, g, id, "0.0.0.0:5353")
		if got := dial(t, "udp", g.Must("port", id, "5353/udp"), "over UDP"); got != "over UDP" {
			t.Errorf("UDP: %q", got)
		}
	})
}

// A list that means nothing is refused before anything runs, and in words.
func testBadLists(t *testing.T, g *guests, w *world) {
	for list, want := range map[string]string{
		"example.com":        "want HOST:PORT",
		"127.1:80":           "four decimal numbers",
		"::1:80":             "in brackets",
		"none,example.com:1": "stands alone",
	} {
		out, stderr, code := g.probe(connect(list), "probe", "dial", "127.0.0.1:1")
		if code != 125 || !strings.Contains(stderr, want) || !strings.Contains(stderr, "wherry.connect") {
			t.Errorf("list %q: %d %q %q", list, code, out, stderr)
		}
	}
}
