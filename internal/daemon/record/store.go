package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"wherry/internal/daemon/durable"
)

const file = "container.json"

// Store is a folder of containers, one sub-folder each, named by ID:
//
//	ID/container.json  the record
//	ID/upper           the container's own level of files
//	ID/ID-json.log     its log
type Store struct {
	dir, trash string
}

// Open makes dir and trash where missing, and ends removals that a crash cut
// short.
func Open(dir, trash string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := durable.Empty(trash); err != nil {
		return nil, err
	}
	return &Store{dir: dir, trash: trash}, nil
}

// Dir is the folder of container id.
func (s *Store) Dir(id string) string { return filepath.Join(s.dir, id) }

// Upper is the container's own level of files.
func (s *Store) Upper(id string) string { return filepath.Join(s.dir, id, "upper") }

// Log is the path of the container's json-file log.
func (s *Store) Log(id string) string { return filepath.Join(s.dir, id, id+"-json.log") }

// Create makes the container's folder and its record. On error nothing is left.
func (s *Store) Create(c *Container) error {
	dir := s.Dir(c.ID)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	err := os.Mkdir(s.Upper(c.ID), 0o755)
	if err == nil {
		err = s.Save(c)
	}
	if err != nil {
		return errors.Join(err, s.Remove(c.ID))
	}
	return nil
}

// Save replaces the record.
func (s *Store) Save(c *Container) error {
	c.Version = Version
	if err := durable.WriteJSON(filepath.Join(s.Dir(c.ID), file), c); err != nil {
		return fmt.Errorf("write the record of container %s: %w", c.ID[:12], err)
	}
	return nil
}

// Remove removes the container's folder with all it holds.
func (s *Store) Remove(id string) error { return durable.Discard(s.Dir(id), s.trash) }

// Load reads all records. A folder without a record is a creation that a crash
// cut short, and is removed. A record that cannot be read is left alone and
// told through bad: its container is not known until someone looks at it.
func (s *Store) Load(bad func(id string, err error)) ([]*Container, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, err
	}
	var all []*Container
	for _, e := range entries {
		id := e.Name()
		data, err := os.ReadFile(filepath.Join(s.Dir(id), file))
		if os.IsNotExist(err) {
			if err := s.Remove(id); err != nil {
				bad(id, err)
			}
			continue
		}
		if err != nil {
			bad(id, err)
			continue
		}
		c := new(Container)
		if err := json.Unmarshal(data, c); err != nil {
			bad(id, fmt.Errorf("%s: %w", file, err))
			continue
		}
		if err := check(id, c); err != nil {
			bad(id, err)
			continue
		}
		all = append(all, c)
	}
	return all, nil
}

func check(id string, c *Container) error {
	switch {
	case c.Version != Version:
		return fmt.Errorf("%s has form %d; this program reads form %d", file, c.Version, Version)
	case c.ID != id:
		return fmt.Errorf("%s is of container %q", file, c.ID)
	case len(c.ID) != 64:
		return fmt.Errorf("%q is no container ID (64 hexadecimal digits)", c.ID)
	case c.Config == nil || c.HostConfig == nil || c.Name == "":
		return fmt.Errorf("%s lacks Config, HostConfig or Name", file)
	}
	return nil
}
