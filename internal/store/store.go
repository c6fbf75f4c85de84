package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/leases"
	"github.com/containerd/containerd/v2/core/metadata"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/containerd/v2/plugins/content/local"
	"github.com/containerd/errdefs"
	"github.com/containerd/log"
	"github.com/sirupsen/logrus"
	bolt "go.etcd.io/bbolt"
)

// namespace is the one namespace of containerd's metadata that is used.
const namespace = "wherry"

// Store is the embedded engine's images. It is safe for concurrent use.
type Store struct {
	root  string
	lock  *os.File
	bolt  *bolt.DB
	db    *metadata.DB
	blobs content.Store

	content content.Store
	images  images.Store
	leases  leases.Manager

	// names serialises changes of what names refer to.
	names sync.Mutex

	// trees is held shared while a tree is looked up or made, exclusively
	// while trees are collected.
	trees sync.RWMutex
	// making has a lock for each tree key in the making.
	making keyed

	// busy holds the leases of pulls, loads and builds that are under way.
	busy sync.Map

	transport transportHook
	// retryWait is the first wait before a broken download is taken up again.
	retryWait time.Duration
	// patience is how long a registry may be silent.
	patience time.Duration
}

// Open opens the store in the folder root, and makes it when it isn't there.
// It fails with errdefs.ErrUnavailable when another process has it open.
func Open(root string) (_ *Store, err error) {
	s := &Store{root: root, retryWait: 200 * time.Millisecond, patience: patience}
	for _, dir := range []string{root, s.path("content", "blobs"), s.path("content", "ingest"), s.path("trees"), s.path("tmp")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, s.explain(fmt.Errorf("can't make the image store: %w", err))
		}
	}
	if s.lock, err = lockFile(s.path("lock")); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if s.blobs, err = local.NewStore(s.path("content")); err != nil {
		return nil, s.explain(fmt.Errorf("can't open the image store's content: %w", err))
	}
	// The flock above already keeps others out; the timeout only turns a stray
	// lock into an error.
	if s.bolt, err = bolt.Open(s.path("meta.db"), 0o600, &bolt.Options{Timeout: 10 * time.Second}); err != nil {
		return nil, s.explain(fmt.Errorf("can't open the image store's metadata %s: %w", s.path("meta.db"), err))
	}
	s.db = metadata.NewDB(s.bolt, s.blobs, nil)
	ctx := s.context(context.Background())
	if err = s.db.Init(ctx); err != nil {
		return nil, s.explain(fmt.Errorf("can't read the image store's metadata: %w", err))
	}
	s.content = spacedContent{s.db.ContentStore(), s}
	s.images = spacedImages{metadata.NewImageStore(s.db), s}
	s.leases = metadata.NewLeaseManager(s.db)
	if err = s.recover(ctx); err != nil {
		return nil, s.explain(fmt.Errorf("can't clean up the image store: %w", err))
	}
	return s, nil
}

// Close closes the store. Nothing may be under way.
func (s *Store) Close() error {
	var errs []error
	if s.bolt != nil {
		errs = append(errs, s.bolt.Close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}

// Root is the folder that the store is in.
func (s *Store) Root() string { return s.root }

func (s *Store) path(elem ...string) string {
	return filepath.Join(append([]string{s.root}, elem...)...)
}

// quiet swallows what containerd's libraries would log: their warnings
// concern formats that are ordinary here.
var quiet = func() *log.Entry {
	l := logrus.New()
	l.SetOutput(io.Discard)
	return logrus.NewEntry(l)
}()

// context gives ctx the namespace that containerd's metadata wants.
func (s *Store) context(ctx context.Context) context.Context {
	if _, ok := namespaces.Namespace(ctx); ok {
		return ctx
	}
	return log.WithLogger(namespaces.WithNamespace(ctx, namespace), quiet)
}

// Content is the store's content. What is written without a Lease may be
// collected at any time.
func (s *Store) Content() content.Store { return s.content }

// Images are the store's names, the dangling ones included.
func (s *Store) Images() images.Store { return s.images }

// Lease makes a context in which written content is safe from collection until
// the returned function is called. After a crash the lease ends by itself.
func (s *Store) Lease(ctx context.Context) (context.Context, func(), error) {
	ctx, l, err := s.lease(ctx, nil)
	if err != nil {
		return nil, nil, err
	}
	return ctx, func() { s.endLease(ctx, l) }, nil
}

// leaseLife is how long unfinished downloads and their lease are kept for
// another try.
const leaseLife = 24 * time.Hour

// lease makes a lease with labels that counts as busy until endLease or
// idleLease.
func (s *Store) lease(ctx context.Context, labels map[string]string) (context.Context, leases.Lease, error) {
	ctx = s.context(ctx)
	l, err := s.leases.Create(ctx, leases.WithRandomID(), leases.WithExpiration(leaseLife), leases.WithLabels(labels))
	if err != nil {
		return nil, l, s.explain(fmt.Errorf("can't reserve content: %w", err))
	}
	s.busy.Store(l.ID, struct{}{})
	return leases.WithLease(ctx, l.ID), l, nil
}

// endLease ends a lease, whatever became of ctx.
func (s *Store) endLease(ctx context.Context, l leases.Lease) {
	s.busy.Delete(l.ID)
	// A lease that could not be deleted expires.
	_ = s.leases.Delete(context.WithoutCancel(ctx), l)
}

// explain turns an error of the system into one with a cure.
func (s *Store) explain(err error) error {
	if err != nil && isNoSpace(err) {
		return fmt.Errorf("the disk of %s is full: make room there, or remove images with `wherry image prune -a` (%w: %w)", s.root, err, errdefs.ErrResourceExhausted)
	}
	return err
}
