// Package bundle is what a shim and the one who started it share through a
// container's bundle folder: the annotations of config.json that the embedded
// engine sets, and the files that the shim writes there.
//
// It is the vocabulary of a protocol. It must not know how a shim works, nor
// what the engine does with what it reads.
package bundle

import (
	"fmt"
	"strings"

	"wherry/internal/wasi/host/socket/policy"
)

// Files in a bundle, by name.
const (
	// Config is the OCI runtime specification, written before the shim starts.
	Config = "config.json"
	// Address holds the shim's socket as a URL, such as unix:///run/x/s/y.
	Address = "address"
	// Ports holds the published ports as bound: a JSON list of [Port].
	Ports = "ports.json"
	// Exit holds the [ExitStatus] of the container; it is complete, and there,
	// before the shim tells anybody that the container has ended.
	Exit = "exit.json"
	// Attach is the Unix socket of the container's streams. Its clients get
	// the output from the moment they connected, in Docker's multiplexed
	// frames, and what they write is the guest's standard input.
	Attach = "attach.sock"
	// Compiling holds a [Compile] for as long as the module is compiled.
	Compiling = "compiling"
	// PID holds the container process's pid, in decimal.
	PID = "init.pid"
	// Cgroup is the record of the container's cgroup, for whoever cleans up
	// behind a shim that died; only the shim's program reads it.
	Cgroup = "cgroup.json"
	// Log is the pipe of the shim's own log where containerd made one.
	Log = "log"
	// LogFile is the shim's own log where there is no such pipe.
	LogFile = "shim.log"
)

// Annotations of config.json that the embedded engine sets. All are optional:
// under containerd there are none.
const (
	// Runtime is the runtime's name as the user wrote it, such as
	// io.containerd.wasmedge.v1.
	Runtime = "dev.wherry.runtime"
	// Engine is an engine's name; it wins over Runtime.
	Engine = "dev.wherry.engine"
	// Module is the host path of the module for artifacts and plain files.
	Module = "dev.wherry.module"
	// ModuleDigest is the module's digest, sha256:…, where it is known.
	ModuleDigest = "dev.wherry.module.digest"
	// Upper is the container's own level of its file tree.
	Upper = "dev.wherry.upper"
	// Cache is the folder of compiled code.
	Cache = "dev.wherry.cache"
	// LogPath is the container's log, in Docker's json-file form.
	LogPath = "dev.wherry.log"
	// LogMaxSize bounds the log's size in bytes; LogMaxFile is how many files
	// are kept, the current one included.
	LogMaxSize = "dev.wherry.log.max-size"
	LogMaxFile = "dev.wherry.log.max-file"
	// Stdin is "open", "once" or empty.
	Stdin = "dev.wherry.stdin"
	// PublishedPorts is a JSON list of [Port].
	PublishedPorts = "dev.wherry.ports"
	// Network is none, private or host.
	Network = "dev.wherry.network"
	// Hosts is a JSON object from name to addresses; DNS a JSON list of
	// addresses of name servers; Search a JSON list of domains.
	Hosts  = "dev.wherry.hosts"
	DNS    = "dev.wherry.dns"
	Search = "dev.wherry.dns.search"
	// Listen is the user's own annotation: "preopen" hands the listeners of
	// published ports to the guest as descriptors.
	Listen = "wherry.listen"
	// Connect is the user's own annotation: what the guest may connect to, a
	// list of HOST:PORT separated by commas, or "none"; see [ConnectList].
	Connect = "wherry.connect"
	// Files is the user's own annotation; [NoFiles] gives the guest no files at
	// all, not even an empty folder.
	Files = "wherry.files"
	// Name is the container's name for messages; the id where it is missing.
	Name = "dev.wherry.name"
	// Sandbox groups the containers of a pod in one shim (CRI sets it).
	Sandbox = "io.kubernetes.cri.sandbox-id"
	// ContainerType is "sandbox" for a pod's own container (CRI sets it).
	ContainerType = "io.kubernetes.cri.container-type"
)

// Values of the annotations [Stdin], [Listen], [Files] and [ContainerType].
const (
	StdinOpen = "open"
	StdinOnce = "once"
	Preopen   = "preopen"
	NoFiles   = "none"

	PodSandbox = "sandbox"
)

// CheckAnnotation refuses a user's own annotation that begins with "wherry."
// and means nothing.
func CheckAnnotation(name, value string) error {
	switch {
	case name == Listen && value != Preopen:
		return fmt.Errorf("annotation %s must be %s, it is %q; leave it out for a program that opens its sockets itself", Listen, Preopen, value)
	case name == Connect:
		if _, err := ConnectList(value); err != nil {
			return fmt.Errorf("annotation %s: %w", Connect, err)
		}
		return nil
	case name == Files && value != NoFiles:
		return fmt.Errorf("annotation %s must be %s, it is %q; leave it out for a program that has files", Files, NoFiles, value)
	case name != Listen && name != Files && strings.HasPrefix(name, "wherry."):
		return fmt.Errorf("annotation %s is unknown; of those that begin with wherry. there are %s=%s, %s=HOST:PORT,… and %s=%s", name, Listen, Preopen, Connect, Files, NoFiles)
	}
	return nil
}

// ConnectList reads the value of the annotation [Connect]: entries of
// [policy.ParseAllow], none for "none".
func ConnectList(value string) ([]string, error) {
	list, err := policy.Split(value)
	if err == nil {
		_, err = policy.ParseAllow(list)
	}
	return list, err
}
