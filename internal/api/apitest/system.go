package apitest

import (
	"context"
	"time"

	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/api/types/registry"
	"github.com/moby/moby/api/types/system"

	"wherry/internal/daemon"
)

// SystemInfo calls SystemInfoFunc.
func (b *Backend) SystemInfo(ctx context.Context) (r0 system.Info, err error) {
	if b.SystemInfoFunc == nil {
		return r0, unset("SystemInfo")
	}
	return b.SystemInfoFunc(ctx)
}

// SystemVersion calls SystemVersionFunc.
func (b *Backend) SystemVersion(ctx context.Context) (r0 system.VersionResponse, err error) {
	if b.SystemVersionFunc == nil {
		return r0, unset("SystemVersion")
	}
	return b.SystemVersionFunc(ctx)
}

// SystemDiskUsage calls SystemDiskUsageFunc.
func (b *Backend) SystemDiskUsage(ctx context.Context, kinds []system.DiskUsageObject, verbose bool) (r0 system.DiskUsage, err error) {
	if b.SystemDiskUsageFunc == nil {
		return r0, unset("SystemDiskUsage")
	}
	return b.SystemDiskUsageFunc(ctx, kinds, verbose)
}

// SystemAuth calls SystemAuthFunc.
func (b *Backend) SystemAuth(ctx context.Context, auth registry.AuthConfig) (r0 registry.AuthResponse, err error) {
	if b.SystemAuthFunc == nil {
		return r0, unset("SystemAuth")
	}
	return b.SystemAuthFunc(ctx, auth)
}

// Events calls EventsFunc.
func (b *Backend) Events(ctx context.Context, since, until time.Time, filters daemon.Filters, send func(events.Message) error) error {
	if b.EventsFunc == nil {
		return unset("Events")
	}
	return b.EventsFunc(ctx, since, until, filters, send)
}
