//go:build !linux

package cli

import "github.com/spf13/cobra"

func newDaemonCommand(*engine) *cobra.Command {
	return &cobra.Command{
		Use:    "daemon",
		Short:  "Run the embedded engine (on Linux)",
		Hidden: true,
		RunE:   func(*cobra.Command, []string) error { return errNeedsLinux },
	}
}
