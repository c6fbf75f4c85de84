;; Each export makes n WASI calls of one kind and gives the sum of their errnos.
;; A file "data" of 1 MiB lies in the folder that is descriptor 3.
(module
  (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_seek" (func $seek (param i32 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
  (memory (export "memory") 2)
  (data (i32.const 0) "data")
  (data (i32.const 32) "\00\10\00\00\00\10\00\00") ;; one buffer: 4 KiB at 4096
  (global $fd (mut i32) (i32.const -1))

  ;; open opens the file for reading and writing; its descriptor is at 16.
  (func $one_open (result i32)
    (call $open (i32.const 3) (i32.const 1) (i32.const 0) (i32.const 4) (i32.const 0)
      (i64.const 0x6000ee) (i64.const 0) (i32.const 0) (i32.const 16)))
  (func (export "setup") (result i32)
    (local $e i32)
    (local.set $e (call $one_open))
    (global.set $fd (i32.load (i32.const 16)))
    (local.get $e))

  ;; rewind goes back to the file's beginning every 256th time.
  (func $rewind (param $n i32) (result i32)
    (if (result i32) (i32.and (local.get $n) (i32.const 255))
      (then (i32.const 0))
      (else (call $seek (global.get $fd) (i64.const 0) (i32.const 0) (i32.const 24)))))

  (func (export "clock_time_get") (param $n i32) (result i32)
    (local $e i32)
    (loop $again
      (local.set $e (i32.add (local.get $e) (call $clock (i32.const 1) (i64.const 0) (i32.const 24))))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $e))
  (func (export "fd_read") (param $n i32) (result i32)
    (local $e i32)
    (loop $again
      (local.set $e (i32.add (local.get $e) (call $rewind (local.get $n))))
      (local.set $e (i32.add (local.get $e) (call $read (global.get $fd) (i32.const 32) (i32.const 1) (i32.const 24))))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $e))
  (func (export "fd_write") (param $n i32) (result i32)
    (local $e i32)
    (loop $again
      (local.set $e (i32.add (local.get $e) (call $rewind (local.get $n))))
      (local.set $e (i32.add (local.get $e) (call $write (global.get $fd) (i32.const 32) (i32.const 1) (i32.const 24))))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $e))
  (func (export "path_open") (param $n i32) (result i32)
    (local $e i32)
    (loop $again
      (local.set $e (i32.add (local.get $e) (call $one_open)))
      (local.set $e (i32.add (local.get $e) (call $close (i32.load (i32.const 16)))))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $e)))
