/* All of oneDNN. Memory descriptors are plain structs in 2.x and handles in 3.x, and primitive descriptors are made
 * differently; the first section hides both. */
#include "cpu/onednn.h"

#include <dnnl.h>

/* Of the two that are used here. */
static dnnl_data_type_t type_of(sumi_dtype dtype) { return dtype == SUMI_BF16 ? dnnl_bf16 : dnnl_f32; }
static sumi_dtype dtype_of(dnnl_data_type_t type) { return type == dnnl_bf16 ? SUMI_BF16 : SUMI_F32; }

/* ---- The two major versions ---- */

typedef struct md { /* owned */
  dnnl_memory_desc_t at;
} md;

#if DNNL_VERSION_MAJOR >= 3
typedef const_dnnl_memory_desc_t md_ref;
static md_ref ref(const md *m) { return m->at; }
static void md_free(md *m) {
  if (m->at) dnnl_memory_desc_destroy(m->at);
  m->at = NULL;
}
static dnnl_status_t md_strided(md *m, int n, const dnnl_dims_t dims, dnnl_data_type_t type,
                                const dnnl_dims_t strides) {
  return dnnl_memory_desc_create_with_strides(&m->at, n, dims, type, strides);
}
static dnnl_status_t md_any(md *m, int n, const dnnl_dims_t dims, dnnl_data_type_t type) {
  return dnnl_memory_desc_create_with_tag(&m->at, n, dims, type, dnnl_format_tag_any);
}
static bool blocks_of(md_ref desc, sumi__dnn_blocks *b) {
  dnnl_format_kind_t kind;
  dnnl_data_type_t type;
  dnnl_dims_t *dims, *padded, *strides, *sizes, *indices;
  if (dnnl_memory_desc_query(desc, dnnl_query_format_kind, &kind) != dnnl_success || kind != dnnl_blocked) return false;
  dnnl_memory_desc_query(desc, dnnl_query_data_type, &type);
  dnnl_memory_desc_query(desc, dnnl_query_ndims_s32, &b->ndims);
  dnnl_memory_desc_query(desc, dnnl_query_dims, &dims);
  dnnl_memory_desc_query(desc, dnnl_query_padded_dims, &padded);
  dnnl_memory_desc_query(desc, dnnl_query_strides, &strides);
  dnnl_memory_desc_query(desc, dnnl_query_inner_nblks_s32, &b->blocks);
  dnnl_memory_desc_query(desc, dnnl_query_inner_blks, &sizes);
  dnnl_memory_desc_query(desc, dnnl_query_inner_idxs, &indices);
  b->dtype = dtype_of(type);
  b->dims = *dims, b->padded = *padded, b->strides = *strides, b->sizes = *sizes, b->indices = *indices;
  return true;
}
#else
typedef const dnnl_memory_desc_t *md_ref;
static md_ref ref(const md *m) { return &m->at; }
static void md_free(md *m) { (void)m; }
static dnnl_status_t md_strided(md *m, int n, const dnnl_dims_t dims, dnnl_data_type_t type,
                                const dnnl_dims_t strides) {
  return dnnl_memory_desc_init_by_strides(&m->at, n, dims, type, strides);
}
static dnnl_status_t md_any(md *m, int n, const dnnl_dims_t dims, dnnl_data_type_t type) {
  return dnnl_memory_desc_init_by_tag(&m->at, n, dims, type, dnnl_format_tag_any);
}
static bool blocks_of(md_ref desc, sumi__dnn_blocks *b) {
  const dnnl_blocking_desc_t *d = &desc->format_desc.blocking;
  *b = (sumi__dnn_blocks){.dtype = dtype_of(desc->data_type),
                          .ndims = desc->ndims,
                          .blocks = d->inner_nblks,
                          .dims = desc->dims,
                          .padded = desc->padded_dims,
                          .strides = d->strides,
                          .sizes = d->inner_blks,
                          .indices = d->inner_idxs};
  return desc->format_kind == dnnl_blocked;
}
#endif

typedef struct geometry {
  dnnl_dims_t strides, dilates, before, after;
} geometry;

static dnnl_status_t make_conv(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, const_dnnl_primitive_attr_t attr,
                               sumi__dnn_conv_kind kind, md_ref x, md_ref w, md_ref bias, md_ref y, const geometry *g,
                               const_dnnl_primitive_desc_t forward) {
  const dnnl_alg_kind_t direct = dnnl_convolution_direct;
  const dnnl_prop_kind_t prop = dnnl_forward_training;
#if DNNL_VERSION_MAJOR >= 3
  if (kind == SUMI__DNN_CONV)
    return dnnl_convolution_forward_primitive_desc_create(pd, engine, prop, direct, x, w, bias, y, g->strides,
                                                          g->dilates, g->before, g->after, attr);
  if (kind == SUMI__DNN_CONV_INPUT_GRAD)
    return dnnl_convolution_backward_data_primitive_desc_create(pd, engine, direct, x, w, y, g->strides, g->dilates,
                                                                g->before, g->after, forward, attr);
  return dnnl_convolution_backward_weights_primitive_desc_create(pd, engine, direct, x, w, bias, y, g->strides,
                                                                 g->dilates, g->before, g->after, forward, attr);
#else
  dnnl_convolution_desc_t d;
  dnnl_status_t status;
  if (kind == SUMI__DNN_CONV)
    status = dnnl_dilated_convolution_forward_desc_init(&d, prop, direct, x, w, bias, y, g->strides, g->dilates,
                                                        g->before, g->after);
  else if (kind == SUMI__DNN_CONV_INPUT_GRAD)
    status = dnnl_dilated_convolution_backward_data_desc_init(&d, direct, x, w, y, g->strides, g->dilates, g->before,
                                                              g->after);
  else
    status = dnnl_dilated_convolution_backward_weights_desc_init(&d, direct, x, w, bias, y, g->strides, g->dilates,
                                                                 g->before, g->after);
  return status == dnnl_success ? dnnl_primitive_desc_create(pd, &d, attr, engine, forward) : status;
#endif
}

static dnnl_status_t make_matmul(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, const_dnnl_primitive_attr_t attr,
                                 md_ref a, md_ref b, md_ref bias, md_ref c) {
#if DNNL_VERSION_MAJOR >= 3
  return dnnl_matmul_primitive_desc_create(pd, engine, a, b, bias, c, attr);
#else
  dnnl_matmul_desc_t d;
  const dnnl_status_t status = dnnl_matmul_desc_init(&d, a, b, bias, c);
  return status == dnnl_success ? dnnl_primitive_desc_create(pd, &d, attr, engine, NULL) : status;
#endif
}

/* ---- A plan ---- */

enum { BIAS_ARG = DNNL_ARG_BIAS };

struct sumi__dnn {
  sumi_context *ctx;
  dnnl_engine_t engine;
  dnnl_stream_t stream;
  dnnl_primitive_attr_t attr, adding; /* adding: of a primitive that adds to c, else NULL */
  dnnl_primitive_t primitive;
  dnnl_primitive_t pack, unpack; /* of b before, of c after; NULL where the layout is the same */
  dnnl_memory_t a, b, bias, c, scratch;
  dnnl_memory_t plain_b, plain_c, reorder_scratch;
  int arg_a, arg_b, arg_c;
  int column_dim, depth_dim; /* of b, where a file has its columns outermost and its depth next; else -1 */
  uint64_t packed_layout;
  size_t packed_bytes, own_scratch_bytes, reorder_scratch_bytes, unpacked_bytes;
};

static sumi_status failed(sumi_context *ctx, dnnl_status_t code, const char *what) {
  switch (code) {
  case dnnl_success: return SUMI_OK;
  case dnnl_out_of_memory: return sumi__fail(ctx, SUMI_NO_MEMORY, "oneDNN: out of memory (%s)", what);
  case dnnl_unimplemented: return sumi__fail(ctx, SUMI_UNSUPPORTED, "oneDNN: no implementation (%s)", what);
  default: return sumi__fail(ctx, SUMI_FAILED, "oneDNN: error %d (%s)", (int)code, what);
  }
}
#define TRY(ctx, expr, what) SUMI_TRY(failed((ctx), (expr), (what)))

static sumi_status plan_create(sumi_context *ctx, sumi__dnn **out) {
  sumi_status status = SUMI_OK;
  sumi__dnn *d = sumi__alloc_zero(ctx, sizeof *d);
  if (!d) return SUMI_NO_MEMORY;
  *out = d;
  d->column_dim = d->depth_dim = -1;
  d->ctx = ctx;
  TRY(ctx, dnnl_engine_create(&d->engine, dnnl_cpu, 0), "engine");
  TRY(ctx, dnnl_stream_create(&d->stream, d->engine, dnnl_stream_default_flags), "stream");
  TRY(ctx, dnnl_primitive_attr_create(&d->attr), "attributes");
  TRY(ctx, dnnl_primitive_attr_set_scratchpad_mode(d->attr, dnnl_scratchpad_mode_user), "attributes");
done:
  return status;
}

void sumi__dnn_free(sumi__dnn *d) {
  if (!d) return;
  dnnl_memory_t memories[] = {d->a, d->b, d->bias, d->c, d->scratch, d->plain_b, d->plain_c, d->reorder_scratch};
  dnnl_primitive_t primitives[] = {d->primitive, d->pack, d->unpack};
  for (size_t i = 0; i < sizeof memories / sizeof *memories; i++)
    if (memories[i]) dnnl_memory_destroy(memories[i]);
  for (size_t i = 0; i < sizeof primitives / sizeof *primitives; i++)
    if (primitives[i]) dnnl_primitive_destroy(primitives[i]);
  if (d->attr) dnnl_primitive_attr_destroy(d->attr);
  if (d->adding) dnnl_primitive_attr_destroy(d->adding);
  if (d->stream) dnnl_stream_destroy(d->stream);
  if (d->engine) dnnl_engine_destroy(d->engine);
  sumi__free(d->ctx, d);
}

/* A hash of what a memory descriptor says of the layout; 0 for one that the interface does not show. */
static uint64_t layout_of(md_ref desc) {
  sumi__dnn_blocks b;
  if (!blocks_of(desc, &b)) return 0;
  const size_t ndims = (size_t)b.ndims * sizeof(int64_t), blocks = (size_t)b.blocks * sizeof(int64_t);
  uint64_t h = sumi__hash(&b.dtype, sizeof b.dtype, 0);
  h = sumi__hash(b.padded, ndims, h);
  h = sumi__hash(b.strides, ndims, h);
  h = sumi__hash(b.sizes, blocks, h);
  return sumi__hash(b.indices, blocks, h);
}

/* What tells packed copies of the same bytes apart: the layout they were read as (a square matrix may be read as its
 * transpose) and the one they were written in. */
static uint64_t packing_of(md_ref plain, md_ref packed) {
  const uint64_t from = layout_of(plain), to = layout_of(packed);
  return from && to ? sumi__hash(&to, sizeof to, from) : 0;
}

/* A memory object whose pointer each run sets. */
static dnnl_status_t make_memory(sumi__dnn *d, dnnl_memory_t *memory, md_ref desc) {
  return dnnl_memory_create(memory, desc, d->engine, DNNL_MEMORY_NONE);
}

/* A reorder from one layout to another, unless they are the same. */
static sumi_status make_reorder(sumi__dnn *d, md_ref from, md_ref to, dnnl_primitive_t *out) {
  sumi_status status = SUMI_OK;
  dnnl_primitive_desc_t pd = NULL;
  if (dnnl_memory_desc_equal(from, to)) return SUMI_OK;
  TRY(d->ctx, dnnl_reorder_primitive_desc_create(&pd, from, d->engine, to, d->engine, d->attr), "reorder");
  TRY(d->ctx, dnnl_primitive_create(out, pd), "reorder");
  md_ref scratch = dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
  const size_t bytes = scratch ? dnnl_memory_desc_get_size(scratch) : 0;
  if (sumi__align_up(bytes, 64) > d->reorder_scratch_bytes) { /* reorders share it: as large as the largest needs */
    if (d->reorder_scratch) dnnl_memory_destroy(d->reorder_scratch);
    d->reorder_scratch = NULL;
    d->reorder_scratch_bytes = sumi__align_up(bytes, 64);
    TRY(d->ctx, make_memory(d, &d->reorder_scratch, scratch), "reorder");
  }
done:
  if (pd) dnnl_primitive_desc_destroy(pd);
  return status;
}

/* For a plan that adds its result to what c has. */
static sumi_status add_to_c(sumi__dnn *d) {
  sumi_status status = SUMI_OK;
  dnnl_post_ops_t ops = NULL;
  TRY(d->ctx, dnnl_post_ops_create(&ops), "sum");
#if DNNL_VERSION_MAJOR >= 3
  TRY(d->ctx, dnnl_post_ops_append_sum(ops, 1.0f, 0, dnnl_data_type_undef), "sum");
#else
  TRY(d->ctx, dnnl_post_ops_append_sum(ops, 1.0f), "sum");
#endif
  TRY(d->ctx, dnnl_primitive_attr_clone(&d->adding, d->attr), "sum");
  TRY(d->ctx, dnnl_primitive_attr_set_post_ops(d->adding, ops), "sum");
done:
  if (ops) dnnl_post_ops_destroy(ops);
  return status;
}

static const_dnnl_primitive_attr_t attributes(const sumi__dnn *d) { return d->adding ? d->adding : d->attr; }

/* What a primitive descriptor calls our three operands. */
typedef struct roles {
  int a, b, c;
  dnnl_query_t query_a, query_b, query_c;
} roles;

static roles roles_of(sumi__dnn_conv_kind kind) {
  switch (kind) {
  case SUMI__DNN_CONV_INPUT_GRAD:
    return (roles){DNNL_ARG_DIFF_DST,      DNNL_ARG_WEIGHTS,      DNNL_ARG_DIFF_SRC,
                   dnnl_query_diff_dst_md, dnnl_query_weights_md, dnnl_query_diff_src_md};
  case SUMI__DNN_CONV_WEIGHT_GRAD:
    return (roles){DNNL_ARG_SRC,      DNNL_ARG_DIFF_DST,      DNNL_ARG_DIFF_WEIGHTS,
                   dnnl_query_src_md, dnnl_query_diff_dst_md, dnnl_query_diff_weights_md};
  default:
    return (roles){DNNL_ARG_SRC,      DNNL_ARG_WEIGHTS,      DNNL_ARG_DST,
                   dnnl_query_src_md, dnnl_query_weights_md, dnnl_query_dst_md};
  }
}

/* Makes primitive, memories and reorders; `plain_b` and `plain_c` are the layouts in which graphs have b and c. */
static sumi_status plan_finish(sumi__dnn *d, const_dnnl_primitive_desc_t pd, const roles *r, md_ref plain_b,
                               md_ref plain_c, bool bias, bool pack) {
  sumi_status status = SUMI_OK;
  md_ref b = dnnl_primitive_desc_query_md(pd, r->query_b, 0), c = dnnl_primitive_desc_query_md(pd, r->query_c, 0);
  md_ref scratch = dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
  d->arg_a = r->a;
  d->arg_b = r->b;
  d->arg_c = r->c;
  TRY(d->ctx, dnnl_primitive_create(&d->primitive, pd), "primitive");
  TRY(d->ctx, make_memory(d, &d->a, dnnl_primitive_desc_query_md(pd, r->query_a, 0)), "memory");
  TRY(d->ctx, make_memory(d, &d->b, b), "memory");
  TRY(d->ctx, make_memory(d, &d->c, c), "memory");
  if (bias) TRY(d->ctx, make_memory(d, &d->bias, dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 1)), "memory");
  if (scratch && dnnl_memory_desc_get_size(scratch) > 0) {
    d->own_scratch_bytes = sumi__align_up(dnnl_memory_desc_get_size(scratch), 64);
    TRY(d->ctx, make_memory(d, &d->scratch, scratch), "memory");
  }
  if (pack) {
    SUMI_TRY(make_reorder(d, plain_b, b, &d->pack));
    if (d->pack) d->packed_bytes = dnnl_memory_desc_get_size(b);
    d->packed_layout = packing_of(plain_b, b);
    TRY(d->ctx, make_memory(d, &d->plain_b, plain_b), "memory");
  }
  SUMI_TRY(make_reorder(d, c, plain_c, &d->unpack));
  if (d->unpack) d->unpacked_bytes = sumi__align_up(dnnl_memory_desc_get_size(c), 64);
  TRY(d->ctx, make_memory(d, &d->plain_c, plain_c), "memory");
done:
  return status;
}

/* ---- Convolutions ---- */

/* N, H, W, C in memory; oneDNN names dimensions N, C, H, W. */
static dnnl_status_t feature_map(md *m, sumi_dtype dtype, int64_t n, int64_t h, int64_t w, int64_t c) {
  return md_strided(m, 4, (dnnl_dims_t){n, c, h, w}, type_of(dtype), (dnnl_dims_t){h * w * c, 1, w * c, c});
}

/* O, KH, KW, I in memory, or any layout that suits the implementation. */
static dnnl_status_t filter(md *m, sumi_dtype dtype, const sumi__dnn_conv *s, bool any) {
  const int64_t g = s->groups, o = s->o / g, i = s->i / g, kh = s->kh, kw = s->kw;
  const dnnl_dims_t dims = {g, o, i, kh, kw}, strides = {o * kh * kw * i, kh * kw * i, 1, kw * i, i};
  const int skip = g == 1 ? 1 : 0;
  if (any) return md_any(m, 5 - skip, dims + skip, type_of(dtype));
  return md_strided(m, 5 - skip, dims + skip, type_of(dtype), strides + skip);
}

sumi_status sumi__dnn_conv_create(sumi_context *ctx, const sumi__dnn_conv *s, sumi__dnn **out) {
  sumi_status status = SUMI_OK;
  const bool weight_grad = s->kind == SUMI__DNN_CONV_WEIGHT_GRAD;
  const sumi_dtype x_dtype = s->kind == SUMI__DNN_CONV_INPUT_GRAD ? s->c_dtype : s->dtype;
  const sumi_dtype y_dtype = s->kind == SUMI__DNN_CONV ? s->c_dtype : s->dtype;
  const sumi_dtype w_dtype = weight_grad ? SUMI_F32 : s->dtype;
  const geometry g = {{s->stride_h, s->stride_w},
                      {s->dilation_h - 1, s->dilation_w - 1},
                      {s->pad_top, s->pad_left},
                      {s->pad_bottom, s->pad_right}};
  md x = {0}, y = {0}, w_forward = {0}, w = {0}, plain_w = {0}, bias = {0};
  dnnl_primitive_desc_t forward = NULL, pd = NULL;
  *out = NULL;
  SUMI_TRY(plan_create(ctx, out));
  TRY(ctx, feature_map(&x, x_dtype, s->n, s->h, s->w, s->i), "input");
  TRY(ctx, feature_map(&y, y_dtype, s->n, s->oh, s->ow, s->o), "output");
  if (s->groups == 1) (*out)->column_dim = 0, (*out)->depth_dim = 1;
  if (s->adds) SUMI_TRY(add_to_c(*out));
  TRY(ctx, filter(&w_forward, s->dtype, s, true), "weights");
  TRY(ctx, filter(&w, w_dtype, s, weight_grad || s->pack), "weights");
  TRY(ctx, filter(&plain_w, w_dtype, s, false), "weights");
  if (s->bias) TRY(ctx, md_strided(&bias, 1, (dnnl_dims_t){s->o}, dnnl_f32, (dnnl_dims_t){1}), "bias");
  if (s->kind != SUMI__DNN_CONV)
    TRY(ctx,
        make_conv(&forward, (*out)->engine, (*out)->attr, SUMI__DNN_CONV, ref(&x), ref(&w_forward), NULL, ref(&y), &g,
                  NULL),
        "convolution");
  TRY(ctx,
      make_conv(&pd, (*out)->engine, attributes(*out), s->kind, ref(&x), ref(&w), s->bias ? ref(&bias) : NULL, ref(&y),
                &g, forward),
      "convolution");
  const roles r = roles_of(s->kind);
  md_ref plain_c = weight_grad ? ref(&plain_w) : s->kind == SUMI__DNN_CONV ? ref(&y) : ref(&x);
  SUMI_TRY(plan_finish(*out, pd, &r, ref(&plain_w), plain_c, s->bias, s->pack));
done:
  if (pd) dnnl_primitive_desc_destroy(pd);
  if (forward) dnnl_primitive_desc_destroy(forward);
  md_free(&x), md_free(&y), md_free(&w_forward), md_free(&w), md_free(&plain_w), md_free(&bias);
  if (status != SUMI_OK) {
    sumi__dnn_free(*out);
    *out = NULL;
  }
  return status;
}

/* ---- Matrix products ---- */

/* (batch..., rows, columns), stored with the last two swapped where `transposed`. */
static dnnl_status_t matrix(md *m, sumi_dtype dtype, int batch_dims, const int64_t *batch, int64_t rows,
                            int64_t columns, bool transposed) {
  dnnl_dims_t dims, strides;
  int64_t stride = rows * columns;
  for (int i = batch_dims - 1; i >= 0; i--) {
    dims[i] = batch[i];
    strides[i] = stride;
    stride *= batch[i];
  }
  dims[batch_dims] = rows;
  dims[batch_dims + 1] = columns;
  strides[batch_dims] = transposed ? 1 : columns;
  strides[batch_dims + 1] = transposed ? rows : 1;
  return md_strided(m, batch_dims + 2, dims, type_of(dtype), strides);
}

sumi_status sumi__dnn_matmul_create(sumi_context *ctx, const sumi__dnn_matmul *s, sumi__dnn **out) {
  sumi_status status = SUMI_OK;
  md a = {0}, b = {0}, plain_b = {0}, bias = {0}, c = {0};
  int64_t batch_c[SUMI_MAX_RANK] = {0}, ones[SUMI_MAX_RANK];
  dnnl_dims_t any_dims;
  dnnl_primitive_desc_t pd = NULL;
  for (int i = 0; i < s->batch_dims; i++) {
    ones[i] = 1;
    any_dims[i] = s->batch_b[i];
    batch_c[i] = sumi__max_i64(s->batch_a[i], s->batch_b[i]);
  }
  any_dims[s->batch_dims] = s->k;
  any_dims[s->batch_dims + 1] = s->n;
  *out = NULL;
  SUMI_TRY(plan_create(ctx, out));
  TRY(ctx, matrix(&a, s->dtype, s->batch_dims, s->batch_a, s->m, s->k, s->transpose_a), "left operand");
  TRY(ctx, matrix(&plain_b, s->dtype, s->batch_dims, s->batch_b, s->k, s->n, s->transpose_b), "right operand");
  TRY(ctx, matrix(&c, s->c_dtype, s->batch_dims, batch_c, s->m, s->n, false), "result");
  if (s->transpose_b && s->batch_dims == 0) (*out)->column_dim = 1, (*out)->depth_dim = 0;
  if (s->adds) SUMI_TRY(add_to_c(*out));
  if (s->pack) TRY(ctx, md_any(&b, s->batch_dims + 2, any_dims, type_of(s->dtype)), "right operand");
  if (s->bias) TRY(ctx, matrix(&bias, SUMI_F32, s->batch_dims, ones, 1, s->n, false), "bias");
  TRY(ctx,
      make_matmul(&pd, (*out)->engine, attributes(*out), ref(&a), ref(s->pack ? &b : &plain_b),
                  s->bias ? ref(&bias) : NULL, ref(&c)),
      "matrix product");
  const roles r = roles_of(SUMI__DNN_CONV);
  SUMI_TRY(plan_finish(*out, pd, &r, ref(&plain_b), ref(&c), s->bias, s->pack));
done:
  if (pd) dnnl_primitive_desc_destroy(pd);
  md_free(&a), md_free(&b), md_free(&plain_b), md_free(&bias), md_free(&c);
  if (status != SUMI_OK) {
    sumi__dnn_free(*out);
    *out = NULL;
  }
  return status;
}

/* ---- Running ---- */

size_t sumi__dnn_scratch_bytes(const sumi__dnn *d) {
  return d->unpacked_bytes + d->reorder_scratch_bytes + d->own_scratch_bytes;
}

size_t sumi__dnn_packed_bytes(const sumi__dnn *d) { return d->packed_bytes; }
uint64_t sumi__dnn_packed_layout(const sumi__dnn *d) { return d->packed_layout; }

bool sumi__dnn_packed_blocks(const sumi__dnn *d, sumi__dnn_blocks *out) {
  md_ref desc = NULL;
  if (!d->pack || d->column_dim < 0) return false;
  if (dnnl_memory_get_memory_desc(d->b, &desc) != dnnl_success || !blocks_of(desc, out)) return false;
  size_t bytes = sumi_dtype_bytes(out->dtype);
  for (int i = 0; i < out->ndims; i++) bytes *= (size_t)out->padded[i];
  out->column_dim = d->column_dim;
  out->depth_dim = d->depth_dim;
  return bytes == d->packed_bytes; /* nothing beside the elements */
}

/* oneDNN takes every pointer as mutable. */
static dnnl_status_t set(dnnl_memory_t memory, const void *data) {
  const union {
    const void *in;
    void *out;
  } pointer = {data};
  return dnnl_memory_set_data_handle(memory, pointer.out);
}

static sumi_status run_reorder(sumi__dnn *d, dnnl_primitive_t reorder, dnnl_memory_t from, dnnl_memory_t to,
                               void *scratch) {
  sumi_status status = SUMI_OK;
  const dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}, {DNNL_ARG_SCRATCHPAD, d->reorder_scratch}};
  if (d->reorder_scratch) TRY(d->ctx, set(d->reorder_scratch, scratch), "reorder");
  TRY(d->ctx, dnnl_primitive_execute(reorder, d->stream, d->reorder_scratch ? 3 : 2, args), "reorder");
done:
  return status;
}

sumi_status sumi__dnn_pack(sumi__dnn *d, const void *b, void *packed, void *scratch) {
  sumi_status status = SUMI_OK;
  TRY(d->ctx, set(d->plain_b, b), "packing");
  TRY(d->ctx, set(d->b, packed), "packing");
  SUMI_TRY(run_reorder(d, d->pack, d->plain_b, d->b, scratch));
done:
  return status;
}

sumi_status sumi__dnn_run(sumi__dnn *d, const void *a, const void *b, const float *bias, void *c, void *scratch) {
  sumi_status status = SUMI_OK;
  char *unpacked = scratch;
  char *own = unpacked + d->unpacked_bytes + d->reorder_scratch_bytes;
  dnnl_exec_arg_t args[5] = {{d->arg_a, d->a}, {d->arg_b, d->b}, {d->arg_c, d->c}};
  int n = 3;
  TRY(d->ctx, set(d->a, a), "run");
  TRY(d->ctx, set(d->b, b), "run");
  TRY(d->ctx, set(d->c, d->unpack ? unpacked : c), "run");
  if (d->bias) {
    TRY(d->ctx, set(d->bias, bias), "run");
    args[n++] = (dnnl_exec_arg_t){BIAS_ARG, d->bias};
  }
  if (d->scratch) {
    TRY(d->ctx, set(d->scratch, own), "run");
    args[n++] = (dnnl_exec_arg_t){DNNL_ARG_SCRATCHPAD, d->scratch};
  }
  TRY(d->ctx, dnnl_primitive_execute(d->primitive, d->stream, n, args), "run");
  if (d->unpack) {
    TRY(d->ctx, set(d->plain_c, c), "run");
    SUMI_TRY(run_reorder(d, d->unpack, d->c, d->plain_c, unpacked + d->unpacked_bytes));
  }
  TRY(d->ctx, dnnl_stream_wait(d->stream), "run");
done:
  return status;
}
