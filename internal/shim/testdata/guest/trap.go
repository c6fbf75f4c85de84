package main

import "unsafe"

// poll_oneoff with pointers outside of memory: the host answers EFAULT. So for
// a trap the program reads beyond its memory, which Go's compiler leaves to
// the engine to check.
func trap() {
	p := (*byte)(unsafe.Add(unsafe.Pointer(uintptr(0xfffffff0)), 0))
	println(*p)
}
