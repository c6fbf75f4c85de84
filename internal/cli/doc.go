// Package cli is the wherry command: Docker's verbs on the embedded engine,
// which it starts when needed, and verbs of its own.
//
// It talks to the engine by the Docker Engine API alone, so it works with an
// engine of another version or machine. It must not reach into images or
// containers itself; only `wherry daemon` makes an engine.
package cli
