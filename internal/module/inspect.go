package module

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
)

// Inspect reads the structure of a WebAssembly binary of size bytes. Errors
// wrap ErrNotWasm, ErrTruncated or ErrMalformed, or come from r.
func Inspect(r io.ReaderAt, size int64) (*Info, error) {
	head := make([]byte, min(max(size, 0), 512))
	if n, err := r.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	} else {
		head = head[:n]
	}
	if len(head) < 8 || string(head[:4]) != "\x00asm" {
		return nil, notWasm(head, size)
	}
	// The second half of the version field tells the layer (Component Model,
	// Binary.md, "Component Definitions").
	version, layer := binary.LittleEndian.Uint16(head[4:]), binary.LittleEndian.Uint16(head[6:])
	info := &Info{Size: size}
	switch {
	case layer == 0 && version == 1:
		return info, info.sections(r, size, coreSection)
	case layer == 1:
		info.Kind = Component
		return info, info.sections(r, size, componentSection)
	}
	return nil, malformed(4, "version %d of layer %d is unknown", version, layer)
}

// InspectBytes is Inspect on bytes in memory.
func InspectBytes(b []byte) (*Info, error) {
	return Inspect(bytes.NewReader(b), int64(len(b)))
}

// A sectionFunc reads one section that is not custom. last is the rank of the
// section before it; it returns the rank of this one.
type sectionFunc func(info *Info, id byte, s *reader, last int) (int, error)

// sections walks a binary's sections: an id, a size, that many bytes.
func (i *Info) sections(src io.ReaderAt, size int64, read sectionFunc) error {
	r := newReader(src, 8, size)
	last := 0
	for n := 0; r.left() > 0; n++ {
		start := r.off
		if n == maxSections {
			return malformed(start, "more than %d sections", maxSections)
		}
		id, err := r.byte("a section's id")
		if err != nil {
			return err
		}
		length, err := r.u32("a section's size")
		if err != nil {
			return err
		}
		if int64(length) > r.left() {
			return truncated(start, sectionWants(id, i.Kind, length, r.left()))
		}
		s := newReader(src, r.off, r.off+int64(length))
		if id == 0 {
			err = i.custom(s)
		} else {
			last, err = read(i, id, s, last)
		}
		if err != nil {
			return inSection(err, s)
		}
		r.off = s.end
	}
	// A range announced by the last section may lie beyond what r really has.
	if size > 8 {
		if n, err := src.ReadAt(make([]byte, 1), size-1); n == 0 {
			if err == nil || errors.Is(err, io.EOF) {
				return truncated(size-1, "the last byte")
			}
			return err
		}
	}
	return nil
}

// inSection turns an end of data inside a complete section into a defect of
// the format: the bytes are there, the section's own size is wrong.
func inSection(err error, s *reader) error {
	if errors.Is(err, ErrTruncated) && s.off <= s.end {
		return malformed(s.off, "a section ends inside an entry (%v)", err)
	}
	return err
}

// custom notes a custom section's name, and reads the ones that tell the
// toolchain. What is wrong inside of a custom section is no error
// (Core Specification 5.5.3); the name itself must be well formed.
func (i *Info) custom(s *reader) error {
	name, err := s.name("a custom section's name")
	if err != nil {
		return err
	}
	if len(i.CustomSections) < maxCustom {
		i.CustomSections = append(i.CustomSections, name)
	}
	switch name {
	case "producers":
		if s.left() <= maxNamed && i.Producers == nil {
			i.Producers = producers(s)
			for _, p := range i.Producers {
				i.GoBuild = i.GoBuild || p.Field == "language" && p.Name == "Go"
			}
		}
	case "go:buildid", "go.buildid":
		i.GoBuild = true
	}
	return nil
}

// producers reads as much of a producers section as is well formed.
func producers(s *reader) []Producer {
	var out []Producer
	fields, err := s.count("producers' fields")
	if err != nil {
		return nil
	}
	for range fields {
		field, err := s.name("a field's name")
		if err != nil {
			return out
		}
		values, err := s.count("a field's values")
		if err != nil {
			return out
		}
		for range values {
			p := Producer{Field: field}
			if p.Name, err = s.name("a producer's name"); err != nil {
				return out
			}
			if p.Version, err = s.name("a producer's version"); err != nil {
				return out
			}
			out = append(out, p)
		}
	}
	return out
}
