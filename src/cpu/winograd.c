/* When Winograd's algorithm is chosen for a convolution, and how its work is cut. */
#include "cpu/winograd.h"

#include "cpu/cpu.h"
#include "ops/attrs.h"

#include <string.h>

/* The block's pixels are 6 MB, and a thread's sums 900 KB: a part of a third-level cache, and a second-level one. */
enum { ROWS = 8, PANEL = 48, BLOCK_UNITS = 3 << 19, MIN_BLOCK = 32, SEGMENT = 128 };

/* What a byte of packed filters is worth: 2 cycles, or on two cores at 3.7 GHz a quarter of a millisecond for each
 * megabyte. It makes small feature maps of many channels take the smaller tiles, or the plain algorithm. */
#define BYTE_PRICE 2.0

static int64_t positions(const sumi__winograd *p) { return p->side * p->side; }

/* A side of 3 is that of a picture read twice as large. */
static sumi__winograd geometry(const sumi__prep *prep, int side, bool pairs, bool gradient) {
  const int m = side == 3 ? 2 : side - 2;
  const sumi__conv_attrs *a = prep->node->attrs;
  const sumi_tensor *x = prep->node->inputs[0], *y = prep->node->outputs[0];
  sumi__winograd p = {.m = m,
                      .side = side,
                      .pairs = pairs,
                      .gradient = gradient,
                      .x_dtype = x->dtype,
                      .w_dtype = prep->node->inputs[1]->dtype,
                      .y_dtype = y->dtype,
                      .n = x->shape.dims[0],
                      .h = x->shape.dims[1],
                      .w = x->shape.dims[2],
                      .i = x->shape.dims[3],
                      .oh = y->shape.dims[1],
                      .ow = y->shape.dims[2],
                      .o = y->shape.dims[3],
                      .pad_top = gradient ? 2 - a->pad_top : a->pad_top,
                      .pad_left = gradient ? 2 - a->pad_left : a->pad_left,
                      .vector = sumi__isa_floats(prep->ctx->isa)};
  p.tiles_h = (p.oh + m - 1) / m;
  p.tiles_w = (p.ow + m - 1) / m;
  p.tiles = p.n * p.tiles_h * p.tiles_w;
  p.units = sumi__up_to_i64(p.i, p.vector * (pairs ? 2 : 1)) / (pairs ? 2 : 1);
  p.columns = sumi__up_to_i64(p.o, p.vector);
  p.block = sumi__max_i64(MIN_BLOCK, BLOCK_UNITS / (positions(&p) * p.units) / ROWS * ROWS);
  p.block = sumi__min_i64(p.block, sumi__up_to_i64(p.tiles, ROWS));
  p.segment = sumi__min_i64(SEGMENT, p.block);
  /* An odd number of cache lines more than the data, so that the positions of a tile fall into different sets. */
  p.a_position = sumi__up_to_i64(p.block * p.units, 16) | 16;
  p.c_position = sumi__up_to_i64(p.segment * PANEL, 16) | 16;
  p.direct_tiles = prep->ctx->tiles;
  return p;
}

/* ---- The choice ---- */

static bool supports(const sumi__prep *prep) {
  const sumi__conv_attrs *a = prep->node->attrs;
  return prep->options->winograd != SUMI_WINOGRAD_OFF && a->kernel_h == 3 && a->kernel_w == 3 && a->stride_h == 1 &&
         a->stride_w == 1 && a->dilation_h == 1 && a->dilation_w == 1 && a->groups == 1;
}

static size_t filter_bytes(const sumi__winograd *p) {
  return (size_t)(positions(p) * p->units * p->columns) * sizeof(float);
}

/* The cost of a convolution in multiply-adds of vectors, as many as a core does in a cycle. It depends on the layer and
 * the instruction set alone, so that every run chooses the same. The plain algorithm is oneDNN's: where it has tiles,
 * it multiplies 16 vectors of pairs at once, half of which are counted on, since tiles have to be filled. */
static double cost_direct(const sumi__winograd *p, bool bf16) {
  const double rate = (double)p->vector * (bf16 ? p->direct_tiles ? 16.0 : 2.0 : 1.0);
  return 9.0 * (double)(p->n * p->oh * p->ow * p->i * p->o) / rate / 0.95;
}

/* Filters that stay packed have their price: memory. Others are transformed in each run. */
static double cost_winograd(const sumi__winograd *p, bool fixed, double direct_bytes) {
  const double tiles = (double)sumi__up_to_i64(p->tiles, ROWS), columns = (double)(p->columns / p->vector);
  const double products = (double)positions(p) * tiles * (double)p->units * columns / 0.9;
  const double inputs = (double)((p->i + p->vector - 1) / p->vector);
  const double transforms = tiles * (inputs * (p->m == 4 ? 400.0 : 120.0) + columns * (p->m == 4 ? 300.0 : 110.0));
  const double filters =
      fixed ? BYTE_PRICE * ((double)filter_bytes(p) - direct_bytes) : (double)(p->i * p->o) * (p->m == 4 ? 25.0 : 10.0);
  return products + transforms + filters;
}

static sumi_status take(sumi__prep *prep, const sumi__winograd *chosen) {
  sumi__winograd *p = sumi__alloc(prep->ctx, sizeof *p);
  if (!p) return SUMI_NO_MEMORY;
  *p = *chosen;
  prep->packed_bytes[1] = filter_bytes(p);
  prep->packed_layout[1] =
      sumi__hash((int64_t[]){p->side, p->pairs, p->gradient, p->vector, p->i, p->o}, 6 * sizeof(int64_t), 0);
  prep->scratch_bytes = sizeof(float) * (size_t)(sumi__up_to_i64(p->i, 16) + positions(p) * p->a_position +
                                                 prep->threads * positions(p) * p->c_position);
  prep->adds_in_place = true;
  prep->state = p;
  return SUMI_OK;
}

/* Where a program may keep only so many bytes, filters are kept as parameters and transformed in the scratch memory. */
static void transform_in_runs(sumi__prep *prep) {
  sumi__winograd *p = prep->state;
  p->filters_at = sumi__align_up(prep->scratch_bytes, 64);
  prep->scratch_bytes = p->filters_at + filter_bytes(p);
  prep->packed_bytes[1] = 0;
}

static sumi_status choose(sumi__prep *prep, bool gradient) {
  const bool bf16 = prep->node->inputs[0]->dtype == SUMI_BF16;
  const bool pairs = bf16 && prep->ctx->isa >= SUMI__ISA_AVX512_BF16;
  const struct {
    int side;
    bool pairs, allowed;
  } ways[] = {{4, false, true},
              {6, false, true},
              {4, true, pairs},
              {6, true, pairs && prep->options->winograd == SUMI_WINOGRAD_FAST}};
  sumi__winograd best = geometry(prep, 4, false, gradient);
  double lowest = cost_direct(&best, pairs);
  const double direct_bytes = 9.0 * (double)(best.i * best.o) * (pairs ? 2.0 : 4.0);
  const bool in_runs = prep->fixed[1] && prep->options->max_weight_bytes;
  bool found = false;
  for (size_t k = 0; k < sizeof ways / sizeof *ways; k++) {
    if (!ways[k].allowed) continue;
    const sumi__winograd p = geometry(prep, ways[k].side, ways[k].pairs, gradient);
    const double cost = cost_winograd(&p, prep->fixed[1] && !in_runs, direct_bytes);
    if (cost >= lowest) continue;
    lowest = cost;
    best = p;
    found = true;
  }
  if (!found) return SUMI_UNSUPPORTED;
  const sumi_status status = take(prep, &best);
  if (status == SUMI_OK && in_runs) transform_in_runs(prep);
  return status;
}

static sumi_status prepare_conv2d(sumi__prep *prep) { return choose(prep, false); }
static sumi_status prepare_input_grad(sumi__prep *prep) { return choose(prep, true); }

/* There is no plain algorithm to compare with. Where no digit may be lost to transformed operands in bf16, they are
 * kept in f32. */
static sumi_status prepare_upsampled(sumi__prep *prep) {
  const bool bf16 = prep->node->inputs[0]->dtype == SUMI_BF16 && prep->options->winograd != SUMI_WINOGRAD_OFF;
  const sumi__winograd p = geometry(prep, 3, bf16 && prep->ctx->isa >= SUMI__ISA_AVX512_BF16, false);
  return take(prep, &p);
}

/* ---- Running ---- */

static sumi_status pack(const sumi__call *c, int input, const void *values, void *packed) {
  const sumi__winograd *p = c->state;
  sumi__winograd_packing k = {p, values, packed};
  (void)input;
  sumi__parallel_for(c->threads, p->columns / p->vector, 1, SUMI__ISA_PICK(c->ctx, sumi__cpu_winograd_pack), &k);
  return SUMI_OK;
}

static sumi_status pack_lent(const sumi__call *c, int input, const sumi__load_attrs *a, void *packed) {
  const sumi__winograd *p = c->state;
  sumi__winograd_lent k = {.p = p, .packed = packed};
  if (input != 1 || a->dtype != p->w_dtype || !sumi__lent_read(a, p->o, p->i, 9, &k.filters)) return SUMI_UNSUPPORTED;
  const int64_t panel = 3 * p->vector, channels = p->units * (p->pairs ? 2 : 1); /* panel: see isa/panel.h */
  const int64_t panels = (p->columns + panel - 1) / panel,
                blocks = sumi__up_to_i64(channels, SUMI__WINOGRAD_LENT) / SUMI__WINOGRAD_LENT;
  sumi__parallel_for(c->threads, panels * blocks, 1, SUMI__ISA_PICK(c->ctx, sumi__cpu_winograd_pack_lent), &k);
  return SUMI_OK;
}

static sumi_status run(const sumi__call *c) {
  const sumi__winograd *p = c->state;
  float *zeros = c->scratch;
  sumi__winograd_run r = {.p = p,
                          .x = c->in[0],
                          .filters = c->packed[1],
                          .bias = sumi__operands(c->node) > 2 ? c->in[2] : NULL,
                          .addend = c->node->adds ? c->in[c->node->n_inputs - 1] : NULL,
                          .addend_repeats = sumi__addend_repeats(c->node),
                          .y = c->out[0],
                          .zeros = zeros,
                          .c_worker = positions(p) * p->c_position};
  if (!r.filters) {
    float *filters = (float *)(void *)((char *)c->scratch + p->filters_at);
    pack(c, 1, c->in[1], filters);
    r.filters = filters;
  }
  memset(zeros, 0, (size_t)p->i * sizeof *zeros);
  r.a = zeros + sumi__up_to_i64(p->i, 16);
  r.c = r.a + positions(p) * p->a_position;
  for (r.first = 0; r.first < p->tiles; r.first += p->block) {
    r.count = sumi__min_i64(p->block, p->tiles - r.first);
    const int64_t rows = SUMI__ISA_PICK(c->ctx, sumi__cpu_winograd_rows)();
    sumi__parallel_for(c->threads, r.count, 1, SUMI__ISA_PICK(c->ctx, sumi__cpu_winograd_pixels), &r);
    sumi__parallel_for(c->threads, p->columns / p->vector * ((r.count + rows - 1) / rows), 1,
                       SUMI__ISA_PICK(c->ctx, sumi__cpu_winograd_products), &r);
  }
  return SUMI_OK;
}

static void destroy(sumi_context *ctx, void *state) { sumi__free(ctx, state); }

const sumi__kernel sumi__cpu_conv2d = {.supports = supports,
                                       .prepare = prepare_conv2d,
                                       .pack = pack,
                                       .pack_lent = pack_lent,
                                       .run = run,
                                       .destroy = destroy};
const sumi__kernel sumi__cpu_conv2d_input_grad_winograd = {
    .supports = supports, .prepare = prepare_input_grad, .pack = pack, .run = run, .destroy = destroy};
const sumi__kernel sumi__cpu_conv2d_upsampled = {
    .prepare = prepare_upsampled, .pack = pack, .pack_lent = pack_lent, .run = run, .destroy = destroy};
