// Package guest carries the source of the packages that programs inside a
// container use, so that `wherry init` can lay them into a new program without
// a network. It must know nothing else of Wherry.
package guest

import "embed"

// Wasinet holds wasinet/*.go, tests included.
//
//go:embed wasinet/*.go
var Wasinet embed.FS
