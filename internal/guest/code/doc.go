// Package code keeps compiled code of modules, so that a module is compiled
// once on a machine whatever image it comes from.
//
// Whoever can write here can run native code as the guests' user: a file counts
// only if this user, or root, owns it and nobody else may write it or its
// folder; names are given by the parent of the compile child, never by what is
// compiled; nothing is ever taken from an image. It must not know images or
// containers.
package code
