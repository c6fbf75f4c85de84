//go:build cgo && linux && (amd64 || arm64)

#define _GNU_SOURCE // pthread_getattr_np
#include <pthread.h>

#include "glue.h"
#include "_cgo_export.h"

// Stack that a call needs beyond the guest's own: wasmtime's entry frames, its
// libcalls, and the C side of a host call (Go's side has a stack of its own).
#define HOST_STACK ((size_t)256 << 10)

// wherry_engine_new makes an engine whose guests have stack bytes of stack.
// fast trades the speed of the code for that of the compiler.
wasm_engine_t *wherry_engine_new(size_t stack, bool fast) {
  wasm_config_t *config = wasm_config_new();
  wasmtime_config_max_wasm_stack_set(config, stack);
  wasmtime_config_async_stack_size_set(config, stack + HOST_STACK); // unused, but must not be less
  wasmtime_config_wasm_function_references_set(config, true);
  wasmtime_config_wasm_gc_set(config, true);
  wasmtime_config_wasm_exceptions_set(config, true);
  wasmtime_config_cranelift_opt_level_set(config, fast ? 0 : 1);
  if (fast)
    wasmtime_config_cranelift_flag_set(config, "regalloc_algorithm", "single_pass");
  return wasm_engine_new_with_config(config);
}

// trampoline is the one callback that wasmtime sees. It looks up the guest's
// memory here, so that the Go side never has to cross back for it.
static wasm_trap_t *trampoline(void *data, wasmtime_caller_t *caller, wasmtime_val_raw_t *slots, size_t n) {
  (void)n;
  wherry_env *env = data;
  const wherry_guest *guest = env->guest;
  uint8_t *base = NULL;
  size_t size = 0;
  if (guest->ready) {
    if (guest->has_memory)
      base = wherry_memory(guest->context, &guest->memory, &size);
  } else {
    wasmtime_extern_t item;
    if (wasmtime_caller_export_get(caller, "memory", 6, &item) && item.kind == WASMTIME_EXTERN_MEMORY)
      base = wherry_memory(guest->context, &item.of.memory, &size);
  }
  if (wherryHostCall(env->store, env->number, env->guest, (uint64_t *)slots, base, size) == 0)
    return NULL;
  return wasmtime_trap_new("host", 4); // the Go side keeps the reason
}

void wherry_host_func(wherry_env *env, const wasm_importtype_vec_t *types, size_t index,
                      wasmtime_extern_t *out) {
  // The module's own import type: one cannot be built for v128 by this API.
  const wasm_functype_t *type = wasm_externtype_as_functype_const(wasm_importtype_type(types->data[index]));
  out->kind = WASMTIME_EXTERN_FUNC;
  wasmtime_func_new_unchecked(env->guest->context, type, trampoline, env, NULL, &out->of.func);
}

// thread_stack gives the size of this thread's stack. What cannot be found out
// counts as large enough.
static size_t thread_stack(void) {
  static __thread size_t mine; // 0: not asked yet
  if (mine == 0) {
    pthread_attr_t attr;
    void *low;
    mine = SIZE_MAX;
    if (pthread_getattr_np(pthread_self(), &attr) == 0) {
      if (pthread_attr_getstack(&attr, &low, &mine) != 0)
        mine = SIZE_MAX;
      pthread_attr_destroy(&attr);
    }
  }
  return mine;
}

// on_stack runs work(data) on a stack that holds a guest's: this thread's, or
// where that is too small (a low RLIMIT_STACK) a thread's made for the call.
static void on_stack(size_t stack, void *(*work)(void *), void *data, wherry_outcome *out) {
  if (thread_stack() >= stack + HOST_STACK) {
    work(data);
    return;
  }
  pthread_attr_t attr;
  pthread_t thread;
  bool made = false;
  if (pthread_attr_init(&attr) == 0) {
    made = pthread_attr_setstacksize(&attr, stack + 2 * HOST_STACK) == 0 &&
           pthread_create(&thread, &attr, work, data) == 0;
    pthread_attr_destroy(&attr);
  }
  if (made)
    pthread_join(thread, NULL);
  else
    out->short_stack = thread_stack();
}

struct instantiation {
  wasmtime_context_t *context;
  const wasmtime_module_t *module;
  const wasmtime_extern_t *imports;
  size_t n;
  wasmtime_instance_t *instance;
  wherry_outcome *out;
};

static void *instantiate(void *data) {
  struct instantiation *i = data;
  i->out->error = wasmtime_instance_new(i->context, i->module, i->imports, i->n, i->instance, &i->out->trap);
  return NULL;
}

void wherry_instantiate(wasmtime_context_t *context, const wasmtime_module_t *module,
                        const wasmtime_extern_t *imports, size_t n, wasmtime_instance_t *instance,
                        size_t stack, wherry_outcome *out) {
  struct instantiation i = {context, module, imports, n, instance, out};
  on_stack(stack, instantiate, &i, out);
}

struct call {
  wasmtime_context_t *context;
  const wasmtime_func_t *func;
  wasmtime_val_raw_t *slots;
  size_t n;
  wherry_outcome *out;
};

static void *call(void *data) {
  struct call *c = data;
  c->out->error = wasmtime_func_call_unchecked(c->context, c->func, c->slots, c->n, &c->out->trap);
  return NULL;
}

void wherry_call(wasmtime_context_t *context, const wasmtime_func_t *func, wasmtime_val_raw_t *slots,
                 size_t n, size_t stack, wherry_outcome *out) {
  struct call c = {context, func, slots, n, out};
  on_stack(stack, call, &c, out);
}

uint8_t *wherry_memory(const wasmtime_context_t *context, const wasmtime_memory_t *memory, size_t *size) {
  *size = wasmtime_memory_data_size(context, memory);
  return wasmtime_memory_data(context, memory);
}
