(module $starttrap
  (func $begin unreachable)
  (start $begin)
)
