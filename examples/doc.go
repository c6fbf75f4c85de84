// Package examples holds the test of the example programs, each of which has a
// folder of its own. They know of Wherry only what a user's program does.
package examples
