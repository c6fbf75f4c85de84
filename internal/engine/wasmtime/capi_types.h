// The types of wasmtime's C API (44.0.0: wasm.h, wasmtime/*.h) that this
// package passes by value or looks into. capi_test.go compares their layout
// with the real headers.
#ifndef WHERRY_CAPI_TYPES_H
#define WHERRY_CAPI_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct wasm_byte_vec_t {
  size_t size;
  char *data;
} wasm_byte_vec_t;

typedef struct wasm_importtype_vec_t {
  size_t size;
  struct wasm_importtype_t **data;
} wasm_importtype_vec_t;

typedef struct wasm_frame_vec_t {
  size_t size;
  struct wasm_frame_t **data;
} wasm_frame_vec_t;

typedef struct wasmtime_func {
  uint64_t store_id;
  void *__private;
} wasmtime_func_t;

typedef struct wasmtime_table {
  struct {
    uint64_t store_id;
    uint32_t __private1;
  };
  uint32_t __private2;
} wasmtime_table_t;

typedef struct wasmtime_memory {
  struct {
    uint64_t store_id;
    uint32_t __private1;
  };
  uint32_t __private2;
} wasmtime_memory_t;

typedef struct wasmtime_global {
  uint64_t store_id;
  uint32_t __private1;
  uint32_t __private2;
  uint32_t __private3;
} wasmtime_global_t;

typedef struct wasmtime_tag {
  struct {
    uint64_t store_id;
    uint32_t __private1;
  };
  uint32_t __private2;
} wasmtime_tag_t;

typedef union wasmtime_extern_union {
  wasmtime_func_t func;
  wasmtime_global_t global;
  wasmtime_table_t table;
  wasmtime_memory_t memory;
  struct wasmtime_sharedmemory *sharedmemory;
  wasmtime_tag_t tag;
} wasmtime_extern_union_t;

typedef struct wasmtime_extern {
  uint8_t kind;
  wasmtime_extern_union_t of;
} wasmtime_extern_t;

#define WASMTIME_EXTERN_FUNC 0
#define WASMTIME_EXTERN_GLOBAL 1
#define WASMTIME_EXTERN_TABLE 2
#define WASMTIME_EXTERN_MEMORY 3
#define WASMTIME_EXTERN_SHAREDMEMORY 4
#define WASMTIME_EXTERN_TAG 5

typedef struct wasmtime_instance {
  uint64_t store_id;
  size_t __private;
} wasmtime_instance_t;

// A value slot of an unchecked call. The real one is a union with a member for
// each type; all that counts here is its size and alignment.
typedef union wasmtime_val_raw {
  uint64_t i64;
  uint8_t v128[16];
} wasmtime_val_raw_t;

#endif
