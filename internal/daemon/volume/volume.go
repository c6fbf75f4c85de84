// Package volume keeps the local volumes: folders with a name that outlive the
// containers that use them.
//
// It must not know containers; who holds a volume is a string to it.
package volume

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"wherry/internal/daemon/durable"
	"wherry/internal/daemon/fault"
	"wherry/internal/daemon/name"
)

const (
	dataDir  = "_data"
	metaFile = "volume.json"
	// AnonymousLabel marks the volumes that were made without a name, as
	// Docker does; prune removes only those unless told otherwise.
	AnonymousLabel = "com.docker.volume.anonymous"
)

// Volume is a volume and its options.
type Volume struct {
	Name      string
	CreatedAt time.Time
	Labels    map[string]string
	Options   map[string]string
	// Path is the folder that containers see: the volume's own, or the host's
	// folder for a volume with the options type=none,o=bind,device=PATH.
	Path string `json:"-"`
}

// Anonymous tells whether the volume was made without a name.
func (v Volume) Anonymous() bool {
	_, ok := v.Labels[AnonymousLabel]
	return ok
}

// Store is the folder of all volumes, one sub-folder each.
type Store struct {
	dir, trash string

	mu      sync.Mutex
	volumes map[string]Volume
	holders map[string]map[string]struct{} // volume to holders
}

// Open reads the volumes in dir, which is made if missing. Trash takes what is
// being removed; it must be on the same file system. A folder without a
// description is told through bad and left alone: it may hold someone's data.
func Open(dir, trash string, bad func(name string, err error)) (*Store, error) {
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(trash, 0o700); err != nil {
		return nil, err
	}
	s := &Store{dir: dir, trash: trash, volumes: map[string]Volume{}, holders: map[string]map[string]struct{}{}}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		v, err := s.load(e.Name())
		if err != nil {
			bad(e.Name(), err)
			continue
		}
		s.volumes[v.Name] = v
	}
	return s, nil
}

func (s *Store) load(dir string) (Volume, error) {
	data, err := os.ReadFile(filepath.Join(s.dir, dir, metaFile))
	if err != nil {
		return Volume{}, err
	}
	var v Volume
	if err := json.Unmarshal(data, &v); err != nil {
		return Volume{}, fmt.Errorf("%s: %w", metaFile, err)
	}
	if v.Name != dir {
		return Volume{}, fmt.Errorf("%s is of volume %q", metaFile, v.Name)
	}
	v.Path, err = s.path(v)
	return v, err
}

// Acquire gives the volume of that name to holder, and makes it if it is not
// there. An empty name makes an anonymous one. An empty holder takes no hold.
// Options and labels are those of a new volume; with another volume's options
// under a name that exists the answer is errdefs.ErrConflict. made tells
// whether the volume is new, and thus empty.
func (s *Store) Acquire(volume, holder string, options, labels map[string]string) (v Volume, made bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if volume == "" {
		volume = name.NewID()
		labels = maps.Clone(labels)
		if labels == nil {
			labels = map[string]string{}
		}
		labels[AnonymousLabel] = ""
	}
	if len(volume) == 1 {
		return Volume{}, false, fault.Invalid("volume name %q is too short, names should be at least two alphanumeric characters", volume)
	}
	if !name.Valid(volume) {
		return Volume{}, false, fault.Invalid("%q includes invalid characters for a local volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use absolute path", volume)
	}
	v, ok := s.volumes[volume]
	if ok && len(options) > 0 && !maps.Equal(options, v.Options) {
		return Volume{}, false, fault.Conflict("volume %s exists with other driver options (%s): remove it first or take another name", volume, describe(v.Options))
	}
	if !ok {
		if v, err = s.make(volume, options, labels); err != nil {
			return Volume{}, false, err
		}
		s.volumes[volume] = v
		made = true
	}
	if holder != "" {
		if s.holders[volume] == nil {
			s.holders[volume] = map[string]struct{}{}
		}
		s.holders[volume][holder] = struct{}{}
	}
	return v, made, nil
}

// make writes the volume's folder and, last, its description, so that a crash
// between leaves a folder that says it is none.
func (s *Store) make(volume string, options, labels map[string]string) (Volume, error) {
	v := Volume{Name: volume, CreatedAt: time.Now(), Labels: maps.Clone(labels), Options: maps.Clone(options)}
	var err error
	if v.Path, err = s.path(v); err != nil {
		return Volume{}, err
	}
	dir := filepath.Join(s.dir, volume)
	err = os.MkdirAll(filepath.Join(dir, dataDir), 0o755)
	if err == nil {
		err = durable.WriteJSON(filepath.Join(dir, metaFile), v)
	}
	if err == nil {
		err = durable.SyncDir(s.dir)
	}
	if err != nil {
		// Only empty folders: what else may be there is not ours to remove.
		_ = os.Remove(filepath.Join(dir, metaFile))
		_ = os.Remove(filepath.Join(dir, dataDir))
		_ = os.Remove(dir)
		return Volume{}, fmt.Errorf("create volume %s: %w", volume, err)
	}
	return v, nil
}

// path is where the volume's files are. Of the local driver's options only a
// bind needs no mount(2), so only that is taken.
func (s *Store) path(v Volume) (string, error) {
	if len(v.Options) == 0 {
		return filepath.Join(s.dir, v.Name, dataDir), nil
	}
	for key := range v.Options {
		if key != "type" && key != "o" && key != "device" {
			return "", fault.Invalid("invalid option %q: the local volume driver has type, o and device", key)
		}
	}
	o := strings.Split(v.Options["o"], ",")
	bind := slices.Contains(o, "bind") || slices.Contains(o, "rbind")
	if !bind || (v.Options["type"] != "none" && v.Options["type"] != "") {
		return "", fault.NotBuilt("a local volume with the options %s needs mount(2), which is not built: use none, or type=none,o=bind,device=PATH", describe(v.Options))
	}
	if !filepath.IsAbs(v.Options["device"]) {
		return "", fault.Invalid("the option device=%q of a bound volume is no absolute path", v.Options["device"])
	}
	return filepath.Clean(v.Options["device"]), nil
}

func describe(options map[string]string) string {
	if len(options) == 0 {
		return "none"
	}
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(options)) {
		parts = append(parts, k+"="+options[k])
	}
	return strings.Join(parts, ",")
}
