;; Exports that fit imports.wat.
(module $right
  (func (export "f") (param i32 i64) (result f32) (f32.const 0))
  (memory (export "m") 3 8)
  (table (export "t") 1 10 funcref)
  (global (export "g") (mut i64) (i64.const 0))
)
