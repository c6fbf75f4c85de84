//go:build race

package shim_test

// buildFlags are added to the build of the shim: a race that the tests look
// for would be in there.
var buildFlags = []string{"-race"}
