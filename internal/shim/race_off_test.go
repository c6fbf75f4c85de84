//go:build !race

package shim_test

var buildFlags []string
