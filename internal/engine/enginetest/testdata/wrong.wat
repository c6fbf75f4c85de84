;; Exports that do not fit imports.wat: each differs in one thing.
(module $wrong
  (func (export "f") (param i32 i64) (result f64) (f64.const 0))
  (memory (export "m") 2)
  (table (export "t") 1 11 funcref)
  (global (export "g") i64 (i64.const 0))
)
