//go:build tools

// Package tools pins the version of Docker's compose plugin, for scripts/stock-daemons to build.
package tools

import _ "github.com/docker/compose/v2/cmd"
