package signature

import (
	"fmt"

	"wherry/internal/engine"
)

// pageSize is that of a memory without one of its own, in bytes.
const pageSize = 64 << 10

// Fits tells whether the module's own memories and tables can begin within the
// limits; the error says what it needs.
func (s *Signature) Fits(l engine.Limits) error {
	for _, m := range s.Memories {
		if need := m.Min; l.MemoryBytes != 0 && need > l.MemoryBytes/pageSize {
			return fmt.Errorf("the module's memory begins with %d pages of 64 KiB, the limit is %d bytes", need, l.MemoryBytes)
		}
	}
	for _, t := range s.Tables {
		if l.TableElements != 0 && t.Min > l.TableElements {
			return fmt.Errorf("the module's table begins with %d elements, the limit is %d", t.Min, l.TableElements)
		}
	}
	return nil
}
