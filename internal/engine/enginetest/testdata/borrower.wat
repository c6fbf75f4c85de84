;; Calls a host function that another instance hands on, with a memory of its own.
(module $borrower
  (import "owner" "whose" (func $whose (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "borrower")
  (func (export "whose") (result i32) (call $whose))
)
