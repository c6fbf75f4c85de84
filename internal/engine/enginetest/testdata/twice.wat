;; One import named twice, as Go's linker writes it.
(module $twice
  (import "env" "f" (func $a (result i32)))
  (import "env" "f" (func $b (result i32)))
  (func (export "sum") (result i32) (i32.add (call $a) (call $b)))
)
