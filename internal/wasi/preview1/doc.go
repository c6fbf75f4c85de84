// Package preview1 is the host's side of wasi_snapshot_preview1 and of the
// sockets that WasmEdge added to it: it turns a guest's calls into operations on
// the capability objects of package host and the packages below it.
//
// One descriptor table holds standard streams, files, directories and sockets.
// Everything a guest passes is checked against its memory before it is used;
// what a guest gets wrong is an errno, never a panic and never a guess.
//
// The package knows the engine's interface and no engine, and nothing of images
// or containers. Calls do not start goroutines: they work and wait in the
// calling thread.
//
// The numbers and layouts are those of phases/snapshot/witx in the WASI
// repository, and for the sockets extension those of WasmEdge's
// lib/host/wasi/wasimodule.cpp.
package preview1
