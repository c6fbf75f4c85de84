;; Growth against a limit. The memory declares no maximum.
(module $memory
  (memory (export "memory") 2)
  (table $t 2 funcref)
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
  (func (export "size") (result i32) memory.size)
  (func (export "touch") (param i32) (i32.store8 (local.get 0) (i32.const 9)))
  (func (export "grow table") (param i32) (result i32)
    (table.grow $t (ref.null func) (local.get 0)))
)
