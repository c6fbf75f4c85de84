;; One import of each kind.
(module $imports
  (import "env" "f" (func (param i32 i64) (result f32)))
  (import "env" "m" (memory 2 8))
  (import "env" "t" (table 1 10 funcref))
  (import "env" "g" (global (mut i64)))
)
