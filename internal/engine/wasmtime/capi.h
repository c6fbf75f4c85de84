// The functions of wasmtime's C API (44.0.0) that this package calls.
// capi_test.go compiles these declarations together with the real headers, so
// a difference is a compile error there.
#ifndef WHERRY_CAPI_H
#define WHERRY_CAPI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct wasm_config_t wasm_config_t;
typedef struct wasm_engine_t wasm_engine_t;
typedef struct wasm_functype_t wasm_functype_t;
typedef struct wasm_externtype_t wasm_externtype_t;
typedef struct wasm_importtype_t wasm_importtype_t;
typedef struct wasm_frame_t wasm_frame_t;
typedef struct wasm_trap_t wasm_trap_t;
typedef struct wasmtime_error wasmtime_error_t;
typedef struct wasmtime_module wasmtime_module_t;
typedef struct wasmtime_store wasmtime_store_t;
typedef struct wasmtime_context wasmtime_context_t;
typedef struct wasmtime_caller wasmtime_caller_t;

// wasm.h
extern void wasm_byte_vec_delete(wasm_byte_vec_t *);
extern wasm_config_t *wasm_config_new(void);
extern wasm_engine_t *wasm_engine_new_with_config(wasm_config_t *);
extern void wasm_engine_delete(wasm_engine_t *);
extern void wasm_importtype_vec_delete(wasm_importtype_vec_t *);
extern const wasm_externtype_t *wasm_importtype_type(const wasm_importtype_t *);
extern const wasm_functype_t *wasm_externtype_as_functype_const(const wasm_externtype_t *);
extern void wasm_trap_delete(wasm_trap_t *);
extern void wasm_trap_message(const wasm_trap_t *, wasm_byte_vec_t *);
extern void wasm_trap_trace(const wasm_trap_t *, wasm_frame_vec_t *);
extern void wasm_frame_vec_delete(wasm_frame_vec_t *);
extern uint32_t wasm_frame_func_index(const wasm_frame_t *);
extern size_t wasm_frame_module_offset(const wasm_frame_t *);

// wasmtime/config.h, wasmtime/async.h
extern void wasmtime_config_max_wasm_stack_set(wasm_config_t *, size_t);
extern void wasmtime_config_async_stack_size_set(wasm_config_t *, uint64_t);
extern void wasmtime_config_wasm_function_references_set(wasm_config_t *, bool);
extern void wasmtime_config_wasm_gc_set(wasm_config_t *, bool);
extern void wasmtime_config_wasm_exceptions_set(wasm_config_t *, bool);
extern void wasmtime_config_cranelift_opt_level_set(wasm_config_t *, uint8_t);
extern void wasmtime_config_cranelift_flag_set(wasm_config_t *, const char *, const char *);

// wasmtime/error.h, wasmtime/trap.h
extern void wasmtime_error_delete(wasmtime_error_t *);
extern void wasmtime_error_message(const wasmtime_error_t *, wasm_byte_vec_t *);
extern void wasmtime_error_wasm_trace(const wasmtime_error_t *, wasm_frame_vec_t *);
extern wasm_trap_t *wasmtime_trap_new(const char *, size_t);
extern bool wasmtime_trap_code(const wasm_trap_t *, uint8_t *);
extern const wasm_byte_vec_t *wasmtime_frame_func_name(const wasm_frame_t *);

// wasmtime/module.h, wasmtime/wat.h
extern wasmtime_error_t *wasmtime_module_new(wasm_engine_t *, const uint8_t *, size_t, wasmtime_module_t **);
extern void wasmtime_module_delete(wasmtime_module_t *);
extern void wasmtime_module_imports(const wasmtime_module_t *, wasm_importtype_vec_t *);
extern wasmtime_error_t *wasmtime_module_serialize(wasmtime_module_t *, wasm_byte_vec_t *);
extern wasmtime_error_t *wasmtime_module_deserialize(wasm_engine_t *, const uint8_t *, size_t, wasmtime_module_t **);
extern wasmtime_error_t *wasmtime_module_deserialize_file(wasm_engine_t *, const char *, wasmtime_module_t **);
extern wasmtime_error_t *wasmtime_wat2wasm(const char *, size_t, wasm_byte_vec_t *);

// wasmtime/store.h
extern wasmtime_store_t *wasmtime_store_new(wasm_engine_t *, void *, void (*)(void *));
extern wasmtime_context_t *wasmtime_store_context(wasmtime_store_t *);
extern void wasmtime_store_limiter(wasmtime_store_t *, int64_t, int64_t, int64_t, int64_t, int64_t);
extern void wasmtime_store_delete(wasmtime_store_t *);

// wasmtime/func.h, wasmtime/instance.h
extern void wasmtime_func_new_unchecked(wasmtime_context_t *, const wasm_functype_t *,
                                        wasm_trap_t *(*)(void *, wasmtime_caller_t *, wasmtime_val_raw_t *, size_t),
                                        void *, void (*)(void *), wasmtime_func_t *);
extern wasmtime_error_t *wasmtime_func_call_unchecked(wasmtime_context_t *, const wasmtime_func_t *,
                                                      wasmtime_val_raw_t *, size_t, wasm_trap_t **);
extern bool wasmtime_caller_export_get(wasmtime_caller_t *, const char *, size_t, wasmtime_extern_t *);
extern wasmtime_error_t *wasmtime_instance_new(wasmtime_context_t *, const wasmtime_module_t *,
                                               const wasmtime_extern_t *, size_t, wasmtime_instance_t *,
                                               wasm_trap_t **);
extern bool wasmtime_instance_export_get(wasmtime_context_t *, const wasmtime_instance_t *, const char *,
                                         size_t, wasmtime_extern_t *);

// wasmtime/memory.h, wasmtime/table.h
extern uint8_t *wasmtime_memory_data(const wasmtime_context_t *, const wasmtime_memory_t *);
extern size_t wasmtime_memory_data_size(const wasmtime_context_t *, const wasmtime_memory_t *);
extern uint64_t wasmtime_memory_size(const wasmtime_context_t *, const wasmtime_memory_t *);
extern uint64_t wasmtime_table_size(const wasmtime_context_t *, const wasmtime_table_t *);

#endif
