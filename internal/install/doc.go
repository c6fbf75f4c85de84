// Package install puts Wherry's shim where another daemon finds it, Docker
// Engine or containerd, tells that daemon of it, and takes both back. It also
// finds what keeps the two from working together.
//
// It edits files that belong to somebody else: so nothing in them is lost, what
// was there is kept until the result has been checked, and what cannot be done
// safely is refused in words. It must not know how the shim works, nor the
// embedded engine.
package install
