package volume

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"wherry/internal/daemon/durable"
	"wherry/internal/daemon/fault"
)

// Get answers the volume of that name, or errdefs.ErrNotFound.
func (s *Store) Get(volume string) (Volume, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.volumes[volume]
	if !ok {
		return Volume{}, fault.NotFound("get %s: no such volume", volume)
	}
	return v, nil
}

// List answers all volumes by name.
func (s *Store) List() []Volume {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.SortedFunc(maps.Values(s.volumes), func(a, b Volume) int {
		return strings.Compare(a.Name, b.Name)
	})
}

// Hold notes that holder uses a volume, if it is there.
func (s *Store) Hold(volume, holder string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.volumes[volume]; !ok {
		return
	}
	if s.holders[volume] == nil {
		s.holders[volume] = map[string]struct{}{}
	}
	s.holders[volume][holder] = struct{}{}
}

// Release ends all of holder's holds.
func (s *Store) Release(holder string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.holders {
		delete(h, holder)
	}
}

// Holders answers who uses the volume.
func (s *Store) Holders(volume string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.holders[volume]))
}

// Remove removes a volume and its files, not those of a bound host folder. A
// volume in use is errdefs.ErrConflict; an unknown one errdefs.ErrNotFound.
func (s *Store) Remove(volume string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.volumes[volume]; !ok {
		return fault.NotFound("get %s: no such volume", volume)
	}
	if h := slices.Sorted(maps.Keys(s.holders[volume])); len(h) > 0 {
		return fault.Conflict("remove %s: volume is in use - [%s]", volume, strings.Join(h, ", "))
	}
	if err := durable.Discard(filepath.Join(s.dir, volume), s.trash); err != nil {
		return err
	}
	delete(s.volumes, volume)
	delete(s.holders, volume)
	return nil
}

// Size is how many bytes the volume's files take on disk; those of a bound
// host folder are not its own and count as none.
func (s *Store) Size(v Volume) int64 {
	if len(v.Options) > 0 {
		return 0
	}
	return DirSize(v.Path)
}

// DirSize adds up the sizes of the files below dir. What vanishes meanwhile
// counts as nothing.
func DirSize(dir string) int64 {
	var n int64
	_ = filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if st, err := d.Info(); err == nil {
				n += st.Size()
			}
		}
		return nil
	})
	return n
}
