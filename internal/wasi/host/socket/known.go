//go:build linux

package socket

import (
	"net/netip"
	"strings"
	"time"

	"wherry/internal/wasi/host/socket/policy"
)

// Bounds of what is kept of resolved names.
const (
	// nameLife is for how long an address that a name had may be used: longer
	// than most records live, since programs keep addresses, too.
	nameLife = 10 * time.Minute
	// askAgain is how long a name rests before it is resolved for the sake of
	// an address once more.
	askAgain = 5 * time.Second
	// refreshTime is how long a guest waits at most for names that it did not
	// ask for, but for the last question.
	refreshTime = 5 * time.Second
	maxNames    = 2048
	maxAddrs    = 64 // of one name
)

// knownNames are the addresses that listed names were given by name servers.
type knownNames map[string]*knownName

type knownName struct {
	asked time.Time
	addrs map[netip.Addr]time.Time // until when each may be used
}

// entry gives the entry of a canonical name, making room where it has none.
func (k knownNames) entry(name string) *knownName {
	if e := k[name]; e != nil {
		return e
	}
	for old := range k {
		if len(k) < maxNames {
			break
		}
		delete(k, old)
	}
	e := &knownName{addrs: map[netip.Addr]time.Time{}}
	k[name] = e
	return e
}

// asking records that a name is being resolved.
func (k knownNames) asking(name string, now time.Time) { k.entry(name).asked = now }

// due tells whether a name may be resolved again.
func (k knownNames) due(name string, now time.Time) bool {
	e := k[name]
	return e == nil || now.Sub(e.asked) >= askAgain
}

// learn keeps the addresses of a name, beside those that it had lately: name
// servers hand out different ones in turn.
func (k knownNames) learn(name string, addrs []netip.Addr, now time.Time) {
	e := k.entry(name)
	for _, a := range addrs {
		if _, has := e.addrs[a]; !has && len(e.addrs) >= maxAddrs {
			e.dropOldest()
		}
		e.addrs[a] = now.Add(nameLife)
	}
}

func (e *knownName) dropOldest() {
	var oldest netip.Addr
	for a, until := range e.addrs {
		if !oldest.IsValid() || until.Before(e.addrs[oldest]) {
			oldest = a
		}
	}
	delete(e.addrs, oldest)
}

// gives tells whether some name that the list has with the port of a
// destination had its address lately.
func (k knownNames) gives(allow *policy.Allow, to netip.AddrPort, now time.Time) bool {
	addr := to.Addr().Unmap()
	for name, e := range k {
		if until, has := e.addrs[addr]; has && now.Before(until) && allow.NamePort(name, to.Port()) {
			return true
		}
	}
	return false
}

// isShort tells whether a name has one part only, which search domains complete.
func isShort(name string) bool { return !strings.Contains(strings.TrimSuffix(name, "."), ".") }
