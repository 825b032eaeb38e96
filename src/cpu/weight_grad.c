/* The gradient of a convolution's weights, and matrix products with a transposed left operand; the loops are in
 * isa/weight_grad.c. */
#include "cpu/weight_grad.h"

#include "cpu/cpu.h"
#include "cpu/product.h"
#include "ops/attrs.h"

static void destroy(sumi_context *ctx, void *state) { sumi__free(ctx, state); }

/* Decides how the work is divided. */
static sumi_status prepare(sumi__prep *p, const sumi__weight_grad_task *geometry) {
  const sumi__isa isa = p->ctx->isa;
  sumi__weight_grad_task *t = sumi__alloc_zero(p->ctx, sizeof *t);
  if (!t) return SUMI_NO_MEMORY;
  *t = *geometry;
  t->columns = t->kernel_h * t->kernel_w * t->in;
  t->tile_rows = sumi__weight_grad_tile_rows(isa);
  t->panel_columns = SUMI__WEIGHT_GRAD_VECTORS * sumi__isa_floats(isa);
  t->column_panels = (t->columns + t->panel_columns - 1) / t->panel_columns;
  const int64_t row_tiles = (t->out + t->tile_rows - 1) / t->tile_rows;
  const int64_t groups = sumi__min_i64(row_tiles, (p->threads + t->column_panels - 1) / t->column_panels);
  t->group_rows = (row_tiles + groups - 1) / groups * t->tile_rows;
  t->row_groups = (t->out + t->group_rows - 1) / t->group_rows;
  t->b_offset = sumi__align_up((size_t)(t->group_rows * SUMI__WEIGHT_GRAD_PIXELS) * sizeof(float), 64);
  t->pixel_offset = t->b_offset + (size_t)(t->panel_columns * SUMI__WEIGHT_GRAD_PIXELS) * sizeof(float);
  t->work_bytes = sumi__align_up(t->pixel_offset + SUMI__WEIGHT_GRAD_PIXELS * sizeof(sumi__window), 64);
  p->scratch_bytes = (size_t)p->threads * t->work_bytes;
  p->state = t;
  return SUMI_OK;
}

static sumi_status run(const sumi__call *c, const void *x, const void *dy) {
  sumi__weight_grad_task t = *(const sumi__weight_grad_task *)c->state;
  t.x = x;
  t.dy = dy;
  t.dw = c->out[0];
  t.work = c->scratch;
  sumi__parallel_for(c->threads, t.row_groups * t.column_panels, 1, SUMI__ISA_PICK(c->ctx, sumi__cpu_weight_grad_items),
                     &t);
  return SUMI_OK;
}

/* ---- conv2d_weight_grad ---- */

/* Where a tap has only a few channels, packing them costs more than it gains. */
enum { MIN_CHANNELS = 8 };

static bool supports_conv(const sumi__prep *p) {
  const sumi__conv_attrs *a = p->node->attrs;
  const bool limited = sumi__isa_limited(p->ctx);
  return a->groups == 1 && (limited || p->node->inputs[0]->shape.dims[3] >= MIN_CHANNELS);
}

static sumi_status prepare_conv(sumi__prep *p) {
  const sumi__conv_attrs *a = p->node->attrs;
  const sumi_shape *x = &p->node->inputs[0]->shape, *dy = &p->node->inputs[1]->shape;
  const sumi__weight_grad_task t = {.dtype = p->node->inputs[0]->dtype,
                                    .pixels = dy->dims[0] * dy->dims[1] * dy->dims[2],
                                    .h = a->height,
                                    .w = a->width,
                                    .in = x->dims[3],
                                    .oh = dy->dims[1],
                                    .ow = dy->dims[2],
                                    .out = dy->dims[3],
                                    .kernel_h = a->kernel_h,
                                    .kernel_w = a->kernel_w,
                                    .stride_h = a->stride_h,
                                    .stride_w = a->stride_w,
                                    .pad_top = a->pad_top,
                                    .pad_left = a->pad_left,
                                    .dilation_h = a->dilation_h,
                                    .dilation_w = a->dilation_w,
                                    .inside = !a->pad_top && !a->pad_left && !a->pad_bottom && !a->pad_right};
  return prepare(p, &t);
}

static sumi_status run_conv(const sumi__call *c) { return run(c, c->in[0], c->in[1]); }

const sumi__kernel sumi__cpu_conv2d_weight_grad = {
    .supports = supports_conv, .prepare = prepare_conv, .run = run_conv, .destroy = destroy};

/* ---- matmul with a transposed left operand: y (M, N) = a^T b with a (K, M), b (K, N) ---- */

/* oneDNN is as fast on this one, but does not know how far the context's instruction sets may go. */
static bool supports_matmul(const sumi__prep *p) {
  const sumi__matmul_attrs *at = p->node->attrs;
  const sumi_tensor *a = p->node->inputs[0], *b = p->node->inputs[1];
  return sumi__isa_limited(p->ctx) && at->transpose_a && !at->transpose_b && a->shape.rank == 2 && b->shape.rank == 2 &&
         p->node->n_inputs == 2 && at->dtype == SUMI_F32;
}

static sumi_status prepare_matmul(sumi__prep *p) {
  const sumi_shape *a = &p->node->inputs[0]->shape, *b = &p->node->inputs[1]->shape;
  const sumi__weight_grad_task t = {.dtype = p->node->inputs[0]->dtype,
                                    .pixels = a->dims[0],
                                    .h = 1,
                                    .w = a->dims[0],
                                    .in = b->dims[1],
                                    .oh = 1,
                                    .ow = a->dims[0],
                                    .out = a->dims[1],
                                    .kernel_h = 1,
                                    .kernel_w = 1,
                                    .stride_h = 1,
                                    .stride_w = 1,
                                    .dilation_h = 1,
                                    .dilation_w = 1,
                                    .inside = true};
  return prepare(p, &t);
}

static sumi_status run_matmul(const sumi__call *c) { return run(c, c->in[1], c->in[0]); }

const sumi__kernel sumi__cpu_matmul = {
    .supports = supports_matmul, .prepare = prepare_matmul, .run = run_matmul, .destroy = destroy};
