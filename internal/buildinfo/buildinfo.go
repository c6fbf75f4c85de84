// Package buildinfo holds what the build says of itself. It must stay free of
// imports, since the container process links it.
package buildinfo

// Version is set by the Makefile from git; "dev" in a plain go build.
var Version = "dev"

// Commit and Time are those of the commit that was built, set by the Makefile
// from git: a short hash, and RFC 3339. They are empty in a plain go build and
// outside of a clone. The time of the build itself is in no program, so that
// the same source gives the same bytes.
var Commit, Time string
