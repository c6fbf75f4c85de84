//go:build linux && daemons

package stock_test

import (
	"os"
	"testing"

	"wherry/internal/testutil/stock"
)

func TestMain(m *testing.M) { os.Exit(stock.Main(m)) }
