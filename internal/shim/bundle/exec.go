package bundle

import "path/filepath"

// ExecAttach is the Unix socket of the streams of a further process in the
// container, by its id: what [Attach] is for the container's own. It is there
// from the task API's Exec to its Delete, where the request names no outputs.
// The request's stdin is then not a path but a value of the annotation [Stdin].
func ExecAttach(dir, id string) string {
	return filepath.Join(dir, "exec-"+id+".sock")
}
