//go:build linux && !wherryprobe

package guest

import "context"

// call runs the guest to its end.
func (g *running) call(ctx context.Context, cfg Config) error {
	_, err := g.instance.Call(ctx, cfg.function())
	return err
}
