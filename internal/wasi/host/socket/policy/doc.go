// Package policy is the grammar and the arithmetic of what a guest may connect
// to: allow lists, and what kind of address an address is.
//
// It is pure: it opens nothing, asks nobody and knows no operating system, so
// that whoever takes a list from a user can tell at once what is wrong with it.
// It must not know sockets, guests, or where a list was written.
package policy
