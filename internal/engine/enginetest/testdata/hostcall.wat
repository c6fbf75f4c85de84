;; Calls the host n times, as a system call with three arguments.
(module $hostcall
  (import "env" "f" (func $f (param i32 i64 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "run") (param $n i64)
    (loop $again
      (drop (call $f (i32.const 1) (i64.const 2) (i32.const 3)))
      (local.set $n (i64.sub (local.get $n) (i64.const 1)))
      (br_if $again (i64.ne (local.get $n) (i64.const 0)))))
)
