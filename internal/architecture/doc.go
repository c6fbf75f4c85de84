// Package architecture holds the rules of ARCHITECTURE.md as tests: what may
// import what, what each program may link, and that every package says what it
// is for. It must hold no code of its own.
package architecture
