package module

import (
	"fmt"
	"strings"
)

// componentSection reads a section of a component (Component Model,
// Binary.md): imports (10) and exports (11) name the world. Sections may
// repeat in any order.
func componentSection(i *Info, id byte, s *reader, _ int) (int, error) {
	if id > 12 {
		return 0, malformed(s.off, "unknown section %d of a component", id)
	}
	var err error
	switch id {
	case 10:
		err = vector(s, "imports", func() error {
			name, err := externName(s)
			if err != nil {
				return err
			}
			kind, err := externDesc(s)
			i.Imports = append(i.Imports, Import{Name: name, Kind: kind})
			return err
		})
	case 11:
		err = vector(s, "exports", func() error {
			name, err := externName(s)
			if err != nil {
				return err
			}
			kind, err := exportDesc(s)
			i.Exports = append(i.Exports, Export{Name: name, Kind: kind})
			return err
		})
	}
	if err == nil && len(i.Imports)+len(i.Exports) > 2*maxItems {
		err = malformed(s.off, "more than %d imports and exports", 2*maxItems)
	}
	return 0, err
}

// externName reads the name of an import or export: 0x00 or 0x01 and a name,
// or 0x02, a name and options such as a version suffix.
func externName(s *reader) (string, error) {
	form, err := s.byte("a name's form")
	if err != nil {
		return "", err
	}
	if form > 2 {
		return "", malformed(s.off-1, "unknown form %#x of a name", form)
	}
	name, err := s.name("a name")
	if err != nil || form < 2 {
		return name, err
	}
	opts, err := s.count("a name's options")
	for range opts {
		if _, err = s.byte("a name's option"); err != nil {
			return "", err
		}
		suffix, err := s.name("a name's option")
		if err != nil {
			return "", err
		}
		name += suffix
	}
	return name, err
}

// externDesc skips the type of an import.
func externDesc(s *reader) (ExternKind, error) {
	sort, err := s.byte("a type's sort")
	if err != nil {
		return Other, err
	}
	switch sort {
	case 0x00:
		if _, err = s.byte("a core sort"); err == nil {
			_, err = s.u32("a type index")
		}
	case 0x01:
		_, err = s.u32("a type index")
		return Func, err
	case 0x02:
		bound, e := s.byte("a value's bound")
		if err = e; err == nil && bound == 0 {
			_, err = s.u32("a value index")
		} else if err == nil {
			err = s.skipInt("a value type")
		}
	case 0x03:
		bound, e := s.byte("a type's bound")
		if err = e; err == nil && bound == 0 {
			_, err = s.u32("a type index")
		}
	case 0x04, 0x05:
		_, err = s.u32("a type index")
	default:
		err = malformed(s.off-1, "unknown sort %#x", sort)
	}
	return Other, err
}

// exportDesc skips what an export names, and its optional type.
func exportDesc(s *reader) (ExternKind, error) {
	kind := Other
	sort, err := s.byte("an export's sort")
	if err != nil {
		return kind, err
	}
	switch {
	case sort == 0x00:
		if _, err = s.byte("a core sort"); err != nil {
			return kind, err
		}
	case sort == 0x01:
		kind = Func
	case sort > 0x05:
		return kind, malformed(s.off-1, "unknown sort %#x", sort)
	}
	if _, err = s.u32("an index"); err != nil {
		return kind, err
	}
	typed, err := s.byte("an export's type")
	if err == nil && typed != 0 {
		_, err = externDesc(s)
	}
	return kind, err
}

// worlds are the exports by which a component's world is known.
var worlds = []struct{ export, world string }{
	{"wasi:cli/run", "wasi:cli/command"},
	{"wasi:http/incoming-handler", "wasi:http/proxy"},
	{"wasi:http/handler", "wasi:http/service"},
}

// World names the WASI world of a component with its version, such as
// "wasi:http/proxy@0.2.0", and the WASI version, such as "0.2". Both are empty
// where nothing tells.
func (i *Info) World() (world, wasi string) {
	if i.Kind != Component {
		return "", ""
	}
	for _, w := range worlds {
		for _, e := range i.Exports {
			name, version, _ := strings.Cut(e.Name, "@")
			if name != w.export {
				continue
			}
			if version == "" {
				return w.world, ""
			}
			return w.world + "@" + version, minor(version)
		}
	}
	for _, im := range i.Imports {
		name, version, ok := strings.Cut(im.Name, "@")
		if ok && strings.HasPrefix(name, "wasi:") {
			return "", minor(version)
		}
	}
	return "", ""
}

// minor cuts a semantic version to its first two numbers.
func minor(version string) string {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return version
	}
	return parts[0] + "." + parts[1]
}

// componentText words what a component is.
func (i *Info) componentText() string {
	world, wasi := i.World()
	text := "a component"
	if wasi != "" {
		text = fmt.Sprintf("a WASI %s component", shorten(wasi))
	}
	if world != "" {
		text += fmt.Sprintf(" (world %s)", shorten(strings.Replace(world, "@", " ", 1)))
	}
	return text
}
