// Holds our declarations to wasmtime's own headers; capi_test.go compiles it.
// The prototypes in capi.h come after the real ones, so that a difference is an
// error. The types in capi_types.h come under other names and are compared by
// size and offset.
#include <wasmtime.h>

#include "capi.h"

#define wasm_byte_vec_t our_byte_vec
#define wasm_importtype_vec_t our_importtype_vec
#define wasm_frame_vec_t our_frame_vec
#define wasmtime_func our_func_s
#define wasmtime_func_t our_func
#define wasmtime_table our_table_s
#define wasmtime_table_t our_table
#define wasmtime_memory our_memory_s
#define wasmtime_memory_t our_memory
#define wasmtime_global our_global_s
#define wasmtime_global_t our_global
#define wasmtime_tag our_tag_s
#define wasmtime_tag_t our_tag
#define wasmtime_extern_union our_extern_union_s
#define wasmtime_extern_union_t our_extern_union
#define wasmtime_extern our_extern_s
#define wasmtime_extern_t our_extern
#define wasmtime_instance our_instance_s
#define wasmtime_instance_t our_instance
#define wasmtime_val_raw our_val_raw_s
#define wasmtime_val_raw_t our_val_raw
enum {
  real_func = WASMTIME_EXTERN_FUNC,
  real_global = WASMTIME_EXTERN_GLOBAL,
  real_table = WASMTIME_EXTERN_TABLE,
  real_memory = WASMTIME_EXTERN_MEMORY,
  real_sharedmemory = WASMTIME_EXTERN_SHAREDMEMORY,
  real_tag = WASMTIME_EXTERN_TAG,
};
#undef WASMTIME_EXTERN_FUNC
#undef WASMTIME_EXTERN_GLOBAL
#undef WASMTIME_EXTERN_TABLE
#undef WASMTIME_EXTERN_MEMORY
#undef WASMTIME_EXTERN_SHAREDMEMORY
#undef WASMTIME_EXTERN_TAG
#include "capi_types.h"
#undef wasm_byte_vec_t
#undef wasm_importtype_vec_t
#undef wasm_frame_vec_t
#undef wasmtime_func_t
#undef wasmtime_table_t
#undef wasmtime_memory_t
#undef wasmtime_global_t
#undef wasmtime_tag_t
#undef wasmtime_extern_union_t
#undef wasmtime_extern_t
#undef wasmtime_instance_t
#undef wasmtime_val_raw_t

#define SAME_SIZE(ours, real)                                   \
  _Static_assert(sizeof(ours) == sizeof(real), #real " size");  \
  _Static_assert(_Alignof(ours) == _Alignof(real), #real " alignment")
#define SAME_FIELD(ours, real, field) \
  _Static_assert(offsetof(ours, field) == offsetof(real, field), #real "." #field)

SAME_SIZE(our_byte_vec, wasm_byte_vec_t);
SAME_FIELD(our_byte_vec, wasm_byte_vec_t, size);
SAME_FIELD(our_byte_vec, wasm_byte_vec_t, data);
SAME_SIZE(our_importtype_vec, wasm_importtype_vec_t);
SAME_FIELD(our_importtype_vec, wasm_importtype_vec_t, data);
SAME_SIZE(our_frame_vec, wasm_frame_vec_t);
SAME_FIELD(our_frame_vec, wasm_frame_vec_t, data);
SAME_SIZE(our_func, wasmtime_func_t);
SAME_SIZE(our_table, wasmtime_table_t);
SAME_SIZE(our_memory, wasmtime_memory_t);
SAME_SIZE(our_global, wasmtime_global_t);
SAME_SIZE(our_tag, wasmtime_tag_t);
SAME_SIZE(our_extern_union, wasmtime_extern_union_t);
SAME_SIZE(our_extern, wasmtime_extern_t);
SAME_FIELD(our_extern, wasmtime_extern_t, kind);
SAME_FIELD(our_extern, wasmtime_extern_t, of);
SAME_SIZE(our_instance, wasmtime_instance_t);
SAME_SIZE(our_val_raw, wasmtime_val_raw_t);

_Static_assert(WASMTIME_EXTERN_FUNC == real_func, "func");
_Static_assert(WASMTIME_EXTERN_GLOBAL == real_global, "global");
_Static_assert(WASMTIME_EXTERN_TABLE == real_table, "table");
_Static_assert(WASMTIME_EXTERN_MEMORY == real_memory, "memory");
_Static_assert(WASMTIME_EXTERN_SHAREDMEMORY == real_sharedmemory, "shared memory");
_Static_assert(WASMTIME_EXTERN_TAG == real_tag, "tag");

_Static_assert(WASMTIME_OPT_LEVEL_NONE == 0 && WASMTIME_OPT_LEVEL_SPEED == 1, "opt levels");
_Static_assert(WASMTIME_TRAP_CODE_STACK_OVERFLOW == 0, "trap codes");
_Static_assert(WASMTIME_TRAP_CODE_MEMORY_OUT_OF_BOUNDS == 1, "trap codes");
_Static_assert(WASMTIME_TRAP_CODE_HEAP_MISALIGNED == 2, "trap codes");
_Static_assert(WASMTIME_TRAP_CODE_TABLE_OUT_OF_BOUNDS == 3, "trap codes");
_Static_assert(WASMTIME_TRAP_CODE_INDIRECT_CALL_TO_NULL == 4, "trap codes");
_Static_assert(WASMTIME_TRAP_CODE_BAD_SIGNATURE == 5, "trap codes");
_Static_assert(WASMTIME_TRAP_CODE_INTEGER_OVERFLOW == 6, "trap codes");
_Static_assert(WASMTIME_TRAP_CODE_INTEGER_DIVISION_BY_ZERO == 7, "trap codes");
_Static_assert(WASMTIME_TRAP_CODE_BAD_CONVERSION_TO_INTEGER == 8, "trap codes");
_Static_assert(WASMTIME_TRAP_CODE_UNREACHABLE_CODE_REACHED == 9, "trap codes");
_Static_assert(WASMTIME_TRAP_CODE_NULL_REFERENCE == 13, "trap codes");
