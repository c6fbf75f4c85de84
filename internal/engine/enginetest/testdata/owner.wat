;; Owns what importer.wat imports, and hands on a host function.
(module $owner
  (import "env" "whose" (func $whose (result i32)))
  (memory (export "memory") 1 4)
  (data (i32.const 0) "owner")
  (table (export "table") 3 funcref)
  (elem (i32.const 0) $one)
  (global (export "counter") (mut i32) (i32.const 40))
  (global (export "fixed") i64 (i64.const -5))
  (func $one (result i32) (i32.const 1))
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "boom") unreachable)
  (export "whose" (func $whose))
)
