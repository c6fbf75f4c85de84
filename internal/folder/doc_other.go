//go:build !linux

// Package folder makes folders that belong to one user alone. The embedded
// engine needs Linux, so there is nothing of it elsewhere.
package folder
