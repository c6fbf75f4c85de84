package sandbox

import (
	"github.com/opencontainers/runtime-spec/specs-go"

	"wherry/internal/sandbox/wall"
)

// pauseName is what a process that keeps a pod's namespaces is called in lists.
const pauseName = "wherry-pause"

// EnclosePause makes the walls of a process that runs no guest, but keeps
// namespaces for the containers that join them: see [Command.Pause]. Of the
// host's files it has none; jail is an empty folder, on which its root is built.
func EnclosePause(spec *specs.Spec, jail string, loopback bool) ([]Walls, error) {
	plan, err := wall.New(spec, host(), wall.Options{Name: pauseName, Jail: wall.Jail{Dir: jail}, Loopback: loopback, Pause: true})
	if err != nil {
		return nil, err
	}
	return []Walls{{Plan: plan, Jailed: true}}, nil
}
