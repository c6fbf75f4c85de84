//go:build linux

package socket

import (
	"os"
	"testing"

	"wherry/internal/testutil/netns"
)

func TestMain(m *testing.M) {
	netns.Enter()
	os.Exit(m.Run())
}
