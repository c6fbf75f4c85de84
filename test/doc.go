// Package test holds the end-to-end tests: the built programs, driven as a user
// drives them. The ones that take minutes are behind the build tag stress, and
// the ones that need programs from npm behind the tag thirdparty. It must know
// nothing of what is inside.
package test
