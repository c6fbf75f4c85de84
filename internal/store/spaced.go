package store

import (
	"context"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	digest "github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// spacedContent is a content store whose callers need not know of containerd's
// namespaces.
type spacedContent struct {
	store content.Store
	s     *Store
}

var _ content.Store = spacedContent{}

func (c spacedContent) Info(ctx context.Context, d digest.Digest) (content.Info, error) {
	return c.store.Info(c.s.context(ctx), d)
}

func (c spacedContent) Update(ctx context.Context, info content.Info, fields ...string) (content.Info, error) {
	return c.store.Update(c.s.context(ctx), info, fields...)
}

func (c spacedContent) Walk(ctx context.Context, fn content.WalkFunc, filters ...string) error {
	return c.store.Walk(c.s.context(ctx), fn, filters...)
}

func (c spacedContent) Delete(ctx context.Context, d digest.Digest) error {
	return c.store.Delete(c.s.context(ctx), d)
}

func (c spacedContent) ReaderAt(ctx context.Context, d ocispec.Descriptor) (content.ReaderAt, error) {
	return c.store.ReaderAt(c.s.context(ctx), d)
}

func (c spacedContent) Status(ctx context.Context, ref string) (content.Status, error) {
	return c.store.Status(c.s.context(ctx), ref)
}

func (c spacedContent) ListStatuses(ctx context.Context, filters ...string) ([]content.Status, error) {
	return c.store.ListStatuses(c.s.context(ctx), filters...)
}

func (c spacedContent) Abort(ctx context.Context, ref string) error {
	return c.store.Abort(c.s.context(ctx), ref)
}

func (c spacedContent) Writer(ctx context.Context, opts ...content.WriterOpt) (content.Writer, error) {
	return c.store.Writer(c.s.context(ctx), opts...)
}

// spacedImages does the same for names.
type spacedImages struct {
	store images.Store
	s     *Store
}

var _ images.Store = spacedImages{}

func (i spacedImages) Get(ctx context.Context, name string) (images.Image, error) {
	return i.store.Get(i.s.context(ctx), name)
}

func (i spacedImages) List(ctx context.Context, filters ...string) ([]images.Image, error) {
	return i.store.List(i.s.context(ctx), filters...)
}

func (i spacedImages) Create(ctx context.Context, image images.Image) (images.Image, error) {
	return i.store.Create(i.s.context(ctx), image)
}

func (i spacedImages) Update(ctx context.Context, image images.Image, fields ...string) (images.Image, error) {
	return i.store.Update(i.s.context(ctx), image, fields...)
}

func (i spacedImages) Delete(ctx context.Context, name string, opts ...images.DeleteOpt) error {
	return i.store.Delete(i.s.context(ctx), name, opts...)
}
