;; Its memory is not exported as "memory".
(module $nomemory
  (import "env" "look" (func $look (result i32)))
  (memory (export "other") 1)
  (func (export "look") (result i32) (call $look))
)
