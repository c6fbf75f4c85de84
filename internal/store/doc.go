// Package store keeps the embedded engine's images: content, names, pulling
// from and pushing to registries, archives, flattened trees, and the garbage
// collection that ties them together.
//
// It stands on containerd's libraries (content store, metadata over bbolt,
// registry resolver). One process has a store open at a time. It must not know
// containers, HTTP APIs or engines; what runs a container learns from it only
// the path of a read-only tree.
//
// # Layout
//
//	ROOT/lock      flock of the process that has the store open, with its pid
//	ROOT/meta.db   names, labels and leases (containerd core/metadata)
//	ROOT/content   blobs and unfinished downloads (containerd plugins/content/local)
//	ROOT/trees     flattened images, a folder per chain of layers
//	ROOT/tmp       trees in the making, emptied at start
//
// # Crash safety
//
// A blob enters by rename after its digest was checked, a name enters after
// everything it refers to, a tree enters by rename when it is complete. What a
// killed process leaves behind is unreferenced and collected.
package store
