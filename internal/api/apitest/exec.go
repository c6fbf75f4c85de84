package apitest

import (
	"context"

	"github.com/moby/moby/api/types/container"

	"wherry/internal/daemon"
)

// ContainerExecCreate calls ContainerExecCreateFunc.
func (b *Backend) ContainerExecCreate(ctx context.Context, id string, r container.ExecCreateRequest) (string, error) {
	if b.ContainerExecCreateFunc == nil {
		return "", unset("ContainerExecCreate")
	}
	return b.ContainerExecCreateFunc(ctx, id, r)
}

// ContainerExecStart calls ContainerExecStartFunc.
func (b *Backend) ContainerExecStart(ctx context.Context, id string, size *[2]uint, ready func() (daemon.Streams, error)) error {
	if b.ContainerExecStartFunc == nil {
		return unset("ContainerExecStart")
	}
	return b.ContainerExecStartFunc(ctx, id, size, ready)
}

// ContainerExecInspect calls ContainerExecInspectFunc.
func (b *Backend) ContainerExecInspect(ctx context.Context, id string) (container.ExecInspectResponse, error) {
	if b.ContainerExecInspectFunc == nil {
		return container.ExecInspectResponse{}, unset("ContainerExecInspect")
	}
	return b.ContainerExecInspectFunc(ctx, id)
}

// ContainerExecResize calls ContainerExecResizeFunc.
func (b *Backend) ContainerExecResize(ctx context.Context, id string, height, width uint32) error {
	if b.ContainerExecResizeFunc == nil {
		return unset("ContainerExecResize")
	}
	return b.ContainerExecResizeFunc(ctx, id, height, width)
}
