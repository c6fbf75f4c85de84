package module

import "fmt"

// coreRank is the order in which a core module's sections must come, by id
// (Core Specification 5.5.2): the tag section (13) follows memory, the data
// count (12) precedes code.
var coreRank = map[byte]int{1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 13: 6, 6: 7, 7: 8, 8: 9, 9: 10, 12: 11, 10: 12, 11: 13}

var coreNames = map[byte]string{
	0: "custom", 1: "type", 2: "import", 3: "function", 4: "table", 5: "memory", 6: "global",
	7: "export", 8: "start", 9: "element", 10: "code", 11: "data", 12: "data count", 13: "tag",
}

// sectionWants words a section that announces more bytes than there are.
func sectionWants(id byte, k Kind, want uint32, have int64) string {
	name := fmt.Sprintf("section %d", id)
	if k == Core && coreNames[id] != "" {
		name = "the " + coreNames[id] + " section"
	}
	return fmt.Sprintf("%s announces %d bytes, %d are left,", name, want, have)
}

// coreSection reads a section of a core module. Types, bodies and data are
// left to the engine, which validates them.
func coreSection(i *Info, id byte, s *reader, last int) (int, error) {
	rank, ok := coreRank[id]
	if !ok {
		return 0, malformed(s.off, "unknown section %d", id)
	}
	if rank <= last {
		return 0, malformed(s.off, "the %s section is repeated or out of order", coreNames[id])
	}
	var err error
	switch id {
	case 2:
		err = i.coreImports(s)
	case 3:
		// The functions' types are not read: only their number counts here.
		i.Functions, err = s.u32("the number of functions")
		if err == nil && int64(i.Functions) > s.left() {
			err = malformed(s.off, "%d functions in %d bytes", i.Functions, s.left())
		}
	case 5:
		err = i.memories(s)
	case 7:
		err = i.coreExports(s)
	case 8:
		i.HasStart = true
	}
	return rank, err
}

// vector reads the entries of a section and checks that they fill it.
func vector(s *reader, what string, entry func() error) error {
	if s.left() > maxNamed {
		return malformed(s.off, "%s of %d bytes, more than the %d that Wherry takes", what, s.left(), maxNamed)
	}
	n, err := s.count(what)
	if err != nil {
		return err
	}
	for range n {
		if err := entry(); err != nil {
			return err
		}
	}
	if s.left() != 0 {
		return malformed(s.off, "%d bytes follow the %s", s.left(), what)
	}
	return nil
}

// coreImports reads the import section (Core Specification 5.5.5).
func (i *Info) coreImports(s *reader) error {
	return vector(s, "imports", func() error {
		var im Import
		var err error
		if im.Module, err = s.name("an import's module"); err != nil {
			return err
		}
		if im.Name, err = s.name("an import's name"); err != nil {
			return err
		}
		kind, err := s.byte("an import's kind")
		if err != nil {
			return err
		}
		im.Kind = ExternKind(kind)
		switch im.Kind {
		case Func:
			_, err = s.u32("a type index")
		case Table:
			if err = refType(s); err == nil {
				_, err = limits(s)
			}
		case Memory:
			var m MemoryType
			if m, err = limits(s); err == nil {
				m.Imported = true
				i.Memories = append(i.Memories, m)
			}
		case Global:
			if err = refType(s); err == nil {
				_, err = s.byte("a global's mutability")
			}
		case Tag:
			if _, err = s.byte("a tag's attribute"); err == nil {
				_, err = s.u32("a type index")
			}
		default:
			err = malformed(s.off-1, "import %s has the unknown kind %d", shorten(im.String()), kind)
		}
		if err != nil {
			return err
		}
		i.Imports = append(i.Imports, im)
		return nil
	})
}

// refType skips a value or reference type: one byte, or 0x63/0x64 and a heap
// type.
func refType(s *reader) error {
	b, err := s.byte("a type")
	if err != nil {
		return err
	}
	if b == 0x63 || b == 0x64 {
		return s.skipInt("a heap type")
	}
	return nil
}

// limits reads the limits of a memory or table (Core Specification 5.3.7 with
// the threads, memory64 and custom-page-sizes proposals): flag bit 0 has a
// maximum, 1 shared, 2 64-bit, 3 page size follows.
func limits(s *reader) (MemoryType, error) {
	var m MemoryType
	flags, err := s.byte("limits")
	if err != nil {
		return m, err
	}
	if flags > 0xf {
		return m, malformed(s.off-1, "unknown limits %#x", flags)
	}
	m.HasMax, m.Shared, m.Memory64 = flags&1 != 0, flags&2 != 0, flags&4 != 0
	bits := uint(32)
	if m.Memory64 {
		bits = 64
	}
	if m.Min, err = s.uint(bits, "a minimum size"); err != nil {
		return m, err
	}
	if m.HasMax {
		if m.Max, err = s.uint(bits, "a maximum size"); err != nil {
			return m, err
		}
	}
	if flags&8 != 0 {
		_, err = s.u32("a page size")
	}
	return m, err
}

// memories reads the memory section (Core Specification 5.5.8).
func (i *Info) memories(s *reader) error {
	return vector(s, "memories", func() error {
		m, err := limits(s)
		if err == nil {
			i.Memories = append(i.Memories, m)
		}
		return err
	})
}

// coreExports reads the export section (Core Specification 5.5.10).
func (i *Info) coreExports(s *reader) error {
	return vector(s, "exports", func() error {
		name, err := s.name("an export's name")
		if err != nil {
			return err
		}
		kind, err := s.byte("an export's kind")
		if err != nil {
			return err
		}
		if kind > byte(Tag) {
			return malformed(s.off-1, "export %q has the unknown kind %d", shorten(name), kind)
		}
		if _, err := s.u32("an index"); err != nil {
			return err
		}
		i.Exports = append(i.Exports, Export{Name: name, Kind: ExternKind(kind)})
		return nil
	})
}
