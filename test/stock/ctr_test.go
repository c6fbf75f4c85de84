//go:build linux && daemons

package stock_test

import (
	"testing"

	"wherry/internal/testutil/stock"
)

func TestCtr(t *testing.T) {
	c := stock.StartContainerd(t)
	t.Log(c.Run(t, "version"))
}
