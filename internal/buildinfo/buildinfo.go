// Package buildinfo holds what the build says of itself. It must stay free of
// imports, since the container process links it.
package buildinfo

// Version is set by the Makefile from git; "dev" in a plain go build.
var Version = "dev"
