//go:build !(cgo && linux && (amd64 || arm64))

package main

func main() { panic("barehost needs cgo, and wasmtime's archive for this system") }
