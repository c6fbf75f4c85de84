package admit

import (
	"strconv"

	"github.com/docker/go-units"
	"github.com/moby/moby/api/types/container"
	apinetwork "github.com/moby/moby/api/types/network"

	"wherry/internal/daemon/fault"
)

// network admits the networks that exist without being created.
func network(h *container.HostConfig) error {
	switch mode := h.NetworkMode; mode {
	case "", apinetwork.NetworkDefault, apinetwork.NetworkBridge, apinetwork.NetworkNone, apinetwork.NetworkHost:
		return nil
	default:
		return fault.Invalid("network %s: networks are not built yet; there are default (bridge), none and host, and published ports (-p)", mode)
	}
}

// NetworkModeOf is the guest's network for a mode that Check admitted: the
// value of the shim's annotation.
func NetworkModeOf(c *container.Config, h *container.HostConfig) string {
	switch {
	case c.NetworkDisabled || h.NetworkMode.IsNone():
		return "none"
	case h.NetworkMode == apinetwork.NetworkHost:
		return "host"
	default:
		return "private"
	}
}

func ports(h *container.HostConfig) error {
	for port, bindings := range h.PortBindings {
		if port.Num() == 0 {
			return fault.Invalid("invalid port specification: %q: want 1-65535", port.String())
		}
		if p := port.Proto(); p != apinetwork.TCP && p != apinetwork.UDP {
			return fault.Invalid("invalid port specification: %q: a WebAssembly program has tcp and udp, no %s", port.String(), p)
		}
		for _, b := range bindings {
			if _, err := HostPort(b); err != nil {
				return err
			}
		}
	}
	return nil
}

// HostPort reads a binding's port; 0 means any free one. A range, which the
// API takes as "8000-8010", is refused: which of its ports is free is not
// known before the shim binds one.
func HostPort(b apinetwork.PortBinding) (uint16, error) {
	if b.HostPort == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(b.HostPort, 10, 16)
	if err != nil {
		return 0, fault.Invalid("invalid host port %q: want one number of 0-65535 (a range for one container port is not built)", b.HostPort)
	}
	return uint16(n), nil
}

// logging admits the log drivers and their options.
func logging(l container.LogConfig) error {
	switch l.Type {
	case "none":
		for key := range l.Config {
			return fault.Invalid("unknown log opt '%s' for none log driver", key)
		}
		return nil
	case "", "json-file":
		_, _, err := LogLimits(l)
		return err
	default:
		return fault.Invalid("logger: no log driver named '%s' is registered: there are json-file and none", l.Type)
	}
}

// LogLimits reads the json-file options: the size in bytes at which a log is
// rotated (0: never) and how many files are kept.
func LogLimits(l container.LogConfig) (maxSize int64, maxFile int, err error) {
	maxFile = 1
	for key, value := range l.Config {
		switch key {
		case "max-size":
			if value == "-1" {
				continue // Docker's "no limit"
			}
			if maxSize, err = units.RAMInBytes(value); err != nil || maxSize <= 0 {
				return 0, 0, fault.Invalid("log opt max-size=%q: want a size such as 10m", value)
			}
		case "max-file":
			if maxFile, err = strconv.Atoi(value); err != nil || maxFile < 1 {
				return 0, 0, fault.Invalid("log opt max-file=%q: want a number of at least 1", value)
			}
		case "mode":
			if value != "blocking" {
				return 0, 0, fault.Invalid("log opt mode=%q: the log is written by the shim before the program goes on; only blocking is known", value)
			}
		default:
			return 0, 0, fault.Invalid("unknown log opt '%s' for json-file log driver: known are max-size, max-file and mode", key)
		}
	}
	if maxFile > 1 && maxSize == 0 {
		return 0, 0, fault.Invalid("log opt max-file needs max-size: without a size nothing is rotated")
	}
	return maxSize, maxFile, nil
}
