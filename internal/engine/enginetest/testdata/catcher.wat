;; Catches what thrower.wat throws, and reads its v128.
(module $catcher
  (import "thrower" "e" (tag $e (param i32)))
  (import "thrower" "throw" (func $throw (param i32)))
  (import "thrower" "vector" (global $v v128))
  (func (export "caught") (param i32) (result i32)
    (block $h (result i32)
      (try_table (catch $e $h) (call $throw (local.get 0)))
      (i32.const -1)))
  (func (export "vector") (result v128) (global.get $v))
)
