//go:build linux

package code

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// fingerprint is a stored answer of an engine, with what it depended on.
type fingerprint struct {
	// Program names this program's file, Boot the time since which the
	// machine, and so its processor, is the same.
	Program, Boot string
	Fingerprint   string
}

// Fingerprint gives an engine's fingerprint. Asking an engine takes
// milliseconds, since it sets up its compiler for that; so the answer is kept
// for as long as neither this program nor the machine's boot is another one.
// Code that does not fit nevertheless is refused by the engine that loads it.
func (c Cache) Fingerprint(engine string, ask func() (string, error)) (string, error) {
	now, err := present()
	if err != nil {
		return "", err
	}
	if engine == "" {
		engine = "default"
	}
	if engine != filepath.Base(engine) {
		return "", fmt.Errorf("%q is no engine's name", engine)
	}
	path := filepath.Join(c.Dir, ".fingerprint-"+engine)
	if had, err := c.readFingerprint(path); err == nil && had.Program == now.Program && had.Boot == now.Boot {
		return had.Fingerprint, nil
	}
	if err := c.prepare(); err != nil {
		return "", err
	}
	if now.Fingerprint, err = ask(); err != nil {
		return "", err
	}
	data, err := json.Marshal(now)
	if err != nil {
		return "", err
	}
	tmp, err := os.CreateTemp(c.Dir, ".new-*")
	if err != nil {
		return "", fmt.Errorf("keep the engine's fingerprint: %w", err)
	}
	_, err = tmp.Write(data)
	if e := tmp.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		os.Remove(tmp.Name())
		return "", fmt.Errorf("keep the engine's fingerprint: %w", err)
	}
	return now.Fingerprint, nil
}

func (c Cache) readFingerprint(path string) (fp fingerprint, err error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return fp, err
	}
	defer f.Close()
	if err := c.trusted(f); err != nil {
		return fp, err
	}
	return fp, json.NewDecoder(f).Decode(&fp)
}

// present names this program's file and this boot.
func present() (fp fingerprint, err error) {
	st, err := os.Stat("/proc/self/exe")
	if err != nil {
		return fp, err
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return fp, err
	}
	sys := st.Sys().(*syscall.Stat_t)
	return fingerprint{
		Program: fmt.Sprintf("%d:%d:%d:%d", sys.Dev, sys.Ino, st.Size(), st.ModTime().UnixNano()),
		Boot:    strings.TrimSpace(string(boot)),
	}, nil
}
