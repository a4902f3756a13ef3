// oneDNN's C API (libdnnl-dev 2.6). What is a macro, or differs between 2.x and 3.x, is a function here, so that a move to
// 3.x touches this file alone.
#pragma once
#include <oneapi/dnnl/dnnl.h>
#include <stddef.h>

#if DNNL_VERSION_MAJOR != 2
#error "foretop's shim speaks oneDNN 2.x; dnnlx_matmul_create is the function to extend for 3.x"
#endif

// c[m, n] (+)= a[m, k] · b[k, n] (+ bias[n], fp32); an operand that is transposed is stored as [k, m] or [n, k]. Strides in elements.
typedef struct {
  int64_t m, n, k;
  int64_t a_stride, b_stride, c_stride;
  int a_transposed, b_transposed, accumulates, has_bias;
  int a_bf16, b_bf16, c_bf16;
} dnnlx_matmul_shape;

typedef struct {
  dnnl_primitive_t primitive;
  dnnl_memory_desc_t a, b, c, bias, scratch;
  size_t scratch_bytes;
} dnnlx_matmul;

static inline dnnl_data_type_t dnnlx_type(int is_bf16) { return is_bf16 ? dnnl_bf16 : dnnl_f32; }

static inline dnnl_status_t dnnlx_matrix(
    dnnl_memory_desc_t *desc, int64_t rows, int64_t columns, int64_t stride, int transposed, int is_bf16) {
  dnnl_dims_t dims = {rows, columns}, strides = {transposed ? 1 : stride, transposed ? stride : 1};
  return dnnl_memory_desc_init_by_strides(desc, 2, dims, dnnlx_type(is_bf16), strides);
}

// The scratch pad is the caller's, so that one primitive can run on several threads at once and never allocates.
static inline dnnl_status_t dnnlx_matmul_create(
    dnnl_engine_t engine, const dnnlx_matmul_shape *shape, dnnlx_matmul *out) {
  dnnl_status_t status = dnnlx_matrix(&out->a, shape->m, shape->k, shape->a_stride, shape->a_transposed, shape->a_bf16);
  if (status == dnnl_success)
    status = dnnlx_matrix(&out->b, shape->k, shape->n, shape->b_stride, shape->b_transposed, shape->b_bf16);
  if (status == dnnl_success) status = dnnlx_matrix(&out->c, shape->m, shape->n, shape->c_stride, 0, shape->c_bf16);
  if (status == dnnl_success && shape->has_bias) status = dnnlx_matrix(&out->bias, 1, shape->n, shape->n, 0, 0);
  dnnl_matmul_desc_t desc;
  if (status == dnnl_success)
    status = dnnl_matmul_desc_init(&desc, &out->a, &out->b, shape->has_bias ? &out->bias : NULL, &out->c);
  dnnl_primitive_attr_t attributes = NULL;
  if (status == dnnl_success) status = dnnl_primitive_attr_create(&attributes);
  if (status == dnnl_success) status = dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user);
  if (status == dnnl_success && shape->accumulates) {
    dnnl_post_ops_t sums = NULL;
    status = dnnl_post_ops_create(&sums);
    if (status == dnnl_success) status = dnnl_post_ops_append_sum(sums, 1.0f);
    if (status == dnnl_success) status = dnnl_primitive_attr_set_post_ops(attributes, sums);
    if (sums) dnnl_post_ops_destroy(sums);
  }
  dnnl_primitive_desc_t description = NULL;
  if (status == dnnl_success) status = dnnl_primitive_desc_create(&description, &desc, attributes, engine, NULL);
  if (status == dnnl_success) {
    out->scratch = *dnnl_primitive_desc_query_md(description, dnnl_query_scratchpad_md, 0);
    out->scratch_bytes = dnnl_memory_desc_get_size(&out->scratch);
    status = dnnl_primitive_create(&out->primitive, description);
  }
  if (description) dnnl_primitive_desc_destroy(description);
  if (attributes) dnnl_primitive_attr_destroy(attributes);
  return status;
}

// Runs a product; the memories are a, b, c, scratch and, where it has one, bias.
static inline dnnl_status_t dnnlx_matmul_run(
    dnnl_primitive_t primitive, dnnl_stream_t stream, dnnl_memory_t a, dnnl_memory_t b, dnnl_memory_t c,
    dnnl_memory_t scratch, dnnl_memory_t bias, void *a_data, void *b_data, void *c_data, void *scratch_data,
    void *bias_data) {
  dnnl_status_t status = dnnl_memory_set_data_handle(a, a_data);
  if (status == dnnl_success) status = dnnl_memory_set_data_handle(b, b_data);
  if (status == dnnl_success) status = dnnl_memory_set_data_handle(c, c_data);
  if (status == dnnl_success) status = dnnl_memory_set_data_handle(scratch, scratch_data);
  if (status == dnnl_success && bias) status = dnnl_memory_set_data_handle(bias, bias_data);
  if (status != dnnl_success) return status;
  dnnl_exec_arg_t arguments[] = {
      {DNNL_ARG_SRC, a}, {DNNL_ARG_WEIGHTS, b}, {DNNL_ARG_DST, c}, {DNNL_ARG_SCRATCHPAD, scratch}, {DNNL_ARG_BIAS, bias}};
  return dnnl_primitive_execute(primitive, stream, bias ? 5 : 4, arguments);
}

// The instructions that products run on: what the CPU has, unless ONEDNN_MAX_CPU_ISA allows less.
static inline const char *dnnlx_instructions(void) {
  switch (dnnl_get_effective_cpu_isa()) {
    case dnnl_cpu_isa_avx2: return "avx2";
    case dnnl_cpu_isa_avx2_vnni: return "avx2_vnni";
    case dnnl_cpu_isa_avx512_core: return "avx512_core";
    case dnnl_cpu_isa_avx512_core_vnni: return "avx512_core_vnni";
    case dnnl_cpu_isa_avx512_core_bf16: return "avx512_core_bf16";
    case dnnl_cpu_isa_avx512_core_amx: return "avx512_core_amx";
    default: return "other";
  }
}
