package signature

import (
	"fmt"

	"wherry/internal/engine"
)

// pageSize is that of a memory without one of its own, in bytes.
const pageSize = 64 << 10

// Share is the part of the limits that each of the module's own memories and
// tables has.
func (s *Signature) Share(l engine.Limits) engine.Limits {
	l.MemoryBytes /= uint64(max(1, len(s.Memories)))
	l.TableElements /= uint64(max(1, len(s.Tables)))
	return l
}

// Fits tells whether the module's own memories and tables can begin within the
// limits; the error says what it needs.
func (s *Signature) Fits(l engine.Limits) error {
	each := s.Share(l)
	for _, m := range s.Memories {
		if need := m.Min; l.MemoryBytes != 0 && need > each.MemoryBytes/pageSize {
			return fmt.Errorf("the module's memory begins with %d pages of 64 KiB, the limit is %d bytes%s", need, l.MemoryBytes, shared(len(s.Memories), "memories"))
		}
	}
	for _, t := range s.Tables {
		if l.TableElements != 0 && t.Min > each.TableElements {
			return fmt.Errorf("the module's table begins with %d elements, the limit is %d%s", t.Min, l.TableElements, shared(len(s.Tables), "tables"))
		}
	}
	return nil
}

func shared(n int, of string) string {
	if n < 2 {
		return ""
	}
	return fmt.Sprintf(" for %d %s", n, of)
}
