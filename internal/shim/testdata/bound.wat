;; A guest that needs what limits are for. The first letter of its first
;; argument says what it does:
;;   grow   takes memory, 1 MiB at a time, and writes to all of it; exits 3 when
;;          there is no more
;;   loop   takes processor time for ever
;;   sleep  waits for an hour
;;   hello  says so
(module
  (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 32) "hello from the guest\n")
  (func $grow (local $at i32)
    (loop $more
      (local.set $at (memory.grow (i32.const 16)))
      (if (i32.ne (local.get $at) (i32.const -1)) (then
        (memory.fill (i32.shl (local.get $at) (i32.const 16)) (i32.const 1) (i32.const 0x100000))
        (br $more))))
    (call $exit (i32.const 3)))
  ;; A subscription to the monotonic clock, relative, in nanoseconds.
  (func $sleep
    (i32.store (i32.const 0x1010) (i32.const 1))
    (i64.store (i32.const 0x1018) (i64.const 3600000000000))
    (drop (call $poll (i32.const 0x1000) (i32.const 0x1100) (i32.const 1) (i32.const 0x1200))))
  (func $hello
    (i32.store (i32.const 0x1000) (i32.const 32))
    (i32.store (i32.const 0x1004) (i32.const 21))
    (drop (call $write (i32.const 1) (i32.const 0x1000) (i32.const 1) (i32.const 0x1008))))
  (func (export "_start") (local $what i32)
    (drop (call $args (i32.const 0x400) (i32.const 0x800)))
    (local.set $what (i32.load8_u (i32.load (i32.const 0x404))))
    (if (i32.eq (local.get $what) (i32.const 103)) (then (call $grow)))
    (if (i32.eq (local.get $what) (i32.const 108)) (then (loop $ever (br $ever))))
    (if (i32.eq (local.get $what) (i32.const 115)) (then (call $sleep)))
    (if (i32.eq (local.get $what) (i32.const 104)) (then (call $hello)))))
