;; Says that it runs, then never returns.
(module $loop
  (import "env" "running" (func $running))
  (func (export "loop") (call $running) (loop $ever (br $ever)))
)
