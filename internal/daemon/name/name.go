// Package name gives containers their names and IDs and finds them by either.
//
// It must not know what it names: an ID stands for a thing kept elsewhere.
package name

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"math/big"
	"regexp"
	"strings"
	"sync"

	"wherry/internal/daemon/fault"
)

// valid is Docker's form of a container's or volume's name.
var valid = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]+$`)

// Valid tells whether s has the form of a name.
func Valid(s string) bool { return valid.MatchString(s) }

// NewID returns a fresh ID: 64 hexadecimal digits, the first 12 of which are
// not all decimal, because Docker uses them as a host name.
func NewID() string {
	for {
		b := make([]byte, 32)
		_, _ = rand.Read(b) // never fails, see crypto/rand.Read
		id := hex.EncodeToString(b)
		if strings.ContainsAny(id[:12], "abcdef") {
			return id
		}
	}
}

// Registry maps names to IDs. The zero value is empty and ready.
type Registry struct {
	mu    sync.Mutex
	names map[string]string // name to ID
	ids   map[string]string // ID to name
}

// Reserve gives id the name, which has no leading slash. A taken name is
// errdefs.ErrConflict in Docker's words, a malformed one
// errdefs.ErrInvalidArgument.
func (r *Registry) Reserve(name, id string) error {
	if !Valid(name) {
		return fault.Invalid("Invalid container name (%s), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed", name)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if owner, taken := r.names[name]; taken && owner != id {
		return conflict(name, owner)
	}
	r.put(name, id)
	return nil
}

func conflict(name, owner string) error {
	return fault.Conflict("Conflict. The container name %q is already in use by container %q. You have to remove (or rename) that container to be able to reuse that name.",
		"/"+name, owner)
}

// Generate gives id a free name of the form adjective_surname.
func (r *Registry) Generate(id string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	for try := 0; ; try++ {
		name := pick(adjectives) + "_" + pick(surnames)
		if try >= 6 {
			name += fmt.Sprint(try)
		}
		if _, taken := r.names[name]; !taken {
			r.put(name, id)
			return name
		}
	}
}

func (r *Registry) put(name, id string) {
	if r.names == nil {
		r.names, r.ids = map[string]string{}, map[string]string{}
	}
	r.names[name], r.ids[id] = id, name
}

// Rename moves id from its name to another, as [Registry.Reserve].
func (r *Registry) Rename(id, name string) error {
	if !Valid(name) {
		return fault.Invalid("Invalid container name (%s), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed", name)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if owner, taken := r.names[name]; taken && owner != id {
		return conflict(name, owner)
	}
	delete(r.names, r.ids[id])
	r.put(name, id)
	return nil
}

// Release forgets id and its name.
func (r *Registry) Release(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.names, r.ids[id])
	delete(r.ids, id)
}

// Find answers the ID that ref stands for: a full ID, a name with or without a
// leading slash, or an unambiguous beginning of an ID, in this order.
func (r *Registry) Find(ref string) (string, error) {
	if ref == "" {
		return "", fault.Invalid("No container name or ID was given")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.ids[ref]; ok {
		return ref, nil
	}
	if id, ok := r.names[strings.TrimPrefix(ref, "/")]; ok {
		return id, nil
	}
	var found []string
	for id := range r.ids {
		if strings.HasPrefix(id, ref) {
			found = append(found, id)
		}
	}
	switch len(found) {
	case 0:
		return "", fault.NotFound("No such container: %s", ref)
	case 1:
		return found[0], nil
	default:
		return "", fault.Invalid("Multiple IDs found with provided prefix: %s: give more digits", ref)
	}
}

func pick(words []string) string {
	n, err := rand.Int(rand.Reader, big.NewInt(int64(len(words))))
	if err != nil {
		return words[0] // crypto/rand's reader never fails
	}
	return words[n.Int64()]
}
