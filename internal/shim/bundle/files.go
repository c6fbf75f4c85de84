package bundle

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Port is a published port.
type Port struct {
	// Proto is "tcp" or "udp".
	Proto string `json:"proto"`
	// HostIP is the host's address; empty means all, IPv4 and IPv6.
	HostIP string `json:"hostIP"`
	// HostPort is the host's port; 0 in a request takes a free one.
	HostPort uint16 `json:"hostPort"`
	// ContainerPort is the port that the guest listens on.
	ContainerPort uint16 `json:"containerPort"`
}

// ExitStatus is how a container ended.
type ExitStatus struct {
	// Code is the exit status as Docker counts it: 128+n after signal n, 134
	// after a trap.
	Code int `json:"code"`
	// Reason is empty after a clean exit; else one line, such as a trap's.
	Reason   string    `json:"reason"`
	ExitedAt time.Time `json:"exitedAt"`
	// OutOfMemory tells that the guest ended at its memory limit.
	OutOfMemory bool `json:"outOfMemory,omitempty"`
}

// Compile says what is being compiled.
type Compile struct {
	// Module is the module's path as the container sees it.
	Module string `json:"module"`
	// Size is the module's size in bytes.
	Size   int64     `json:"size"`
	Engine string    `json:"engine"`
	Since  time.Time `json:"since"`
}

// Write writes v as JSON to the named file of a bundle. A reader sees the old
// file or the whole new one.
func Write(dir, name string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return WriteFile(dir, name, data)
}

// WriteFile writes a file of a bundle. A reader sees the old file or the
// whole new one.
func WriteFile(dir, name string, data []byte) error {
	tmp, err := os.CreateTemp(dir, "."+name+"-")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	_, err = tmp.Write(data)
	if e := tmp.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(tmp.Name(), filepath.Join(dir, name))
	}
	if err != nil {
		os.Remove(tmp.Name())
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// Read reads a JSON file of a bundle into v. A file that is not there gives
// fs.ErrNotExist.
func Read(dir, name string, v any) error {
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("%s: %w", filepath.Join(dir, name), err)
	}
	return nil
}
