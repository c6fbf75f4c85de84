#ifndef WHERRY_GLUE_H
#define WHERRY_GLUE_H

#include "capi_types.h"
#include "capi.h"

// What a host function needs to know of the instance that imported it.
typedef struct wherry_guest {
  wasmtime_context_t *context;
  wasmtime_memory_t memory; // its export "memory"
  bool has_memory;
  bool ready; // false while the start function runs: memory is not known yet
} wherry_guest;

// The environment of one host function: it names the Go function by numbers,
// since C must keep no Go pointers.
typedef struct wherry_env {
  wherry_guest *guest;
  uint32_t store;
  uint32_t number;
} wherry_env;

// How a call ended: no field set is success. short_stack is the size of this
// thread's stack, set where it is too small for a guest and no other could be
// made.
typedef struct wherry_outcome {
  wasm_trap_t *trap;
  wasmtime_error_t *error;
  size_t short_stack;
} wherry_outcome;

wasm_engine_t *wherry_engine_new(size_t stack, bool fast);
void wherry_host_func(wherry_env *env, const wasm_importtype_vec_t *types, size_t index,
                      wasmtime_extern_t *out);
void wherry_instantiate(wasmtime_context_t *context, const wasmtime_module_t *module,
                        const wasmtime_extern_t *imports, size_t n, wasmtime_instance_t *instance,
                        size_t stack, wherry_outcome *out);
void wherry_call(wasmtime_context_t *context, const wasmtime_func_t *func, wasmtime_val_raw_t *slots,
                 size_t n, size_t stack, wherry_outcome *out);
uint8_t *wherry_memory(const wasmtime_context_t *context, const wasmtime_memory_t *memory, size_t *size);

#endif
