package durable

import "wherry/internal/wasi/host/tree"

// RemoveAll removes a path with all below it, as os.RemoveAll does, also where a
// guest nested folders deeper than the process has descriptors, or a folder's
// owner has no rights to it.
func RemoveAll(path string) error { return tree.Remove(path) }
