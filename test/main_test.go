package test

import (
	"fmt"
	"os"
	"testing"

	"wherry/internal/testutil/docker"
	"wherry/internal/testutil/netns"
)

func TestMain(m *testing.M) {
	netns.Enter()
	code := m.Run()
	if err := docker.Clean(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}
