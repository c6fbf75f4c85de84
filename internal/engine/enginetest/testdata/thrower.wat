;; Exceptions, across instances too.
(module $thrower
  (tag $e (export "e") (param i32))
  (global (export "vector") v128 (v128.const i64x2 1 2))
  (func $throw (export "throw") (param i32) (throw $e (local.get 0)))
  (func (export "caught") (param i32) (result i32)
    (block $h (result i32)
      (try_table (catch $e $h) (call $throw (local.get 0)))
      (i32.const -1)))
)
