/* When Winograd's algorithm is chosen for the gradient of a convolution's weights, and how its work is cut. */
#include "cpu/winograd_grad.h"

#include "cpu/cpu.h"
#include "ops/attrs.h"

#include <string.h>

/* Units of a block's transformed pixels at most (8 MB), steps of the sum in it, vectors of a panel; and the most that
 * the sums may take: beyond it they leave the cache, and are no small part of the arena. */
enum { BLOCK_UNITS = 2 << 20, MOST_STEPS = 128, FEWEST_STEPS = 32, PANEL = 3, ROWS = 8, MOST_SUMS = 64 << 20 };

static int64_t positions(const sumi__winograd_grad *p) { return (p->m + 2) * (p->m + 2); }

static sumi__winograd_grad geometry(const sumi__prep *prep, int m, bool pairs) {
  const sumi__conv_attrs *a = prep->node->attrs;
  const sumi_tensor *x = prep->node->inputs[0], *dy = prep->node->inputs[1];
  sumi__winograd_grad p = {.m = m,
                           .pairs = pairs,
                           .dtype = x->dtype,
                           .n = x->shape.dims[0],
                           .h = x->shape.dims[1],
                           .w = x->shape.dims[2],
                           .i = x->shape.dims[3],
                           .oh = dy->shape.dims[1],
                           .ow = dy->shape.dims[2],
                           .o = dy->shape.dims[3],
                           .pad_top = a->pad_top,
                           .pad_left = a->pad_left,
                           .vector = sumi__isa_floats(prep->ctx->isa)};
  p.tiles_h = (p.oh + m - 1) / m;
  p.tiles_w = (p.ow + m - 1) / m;
  p.tiles = p.n * p.tiles_h * p.tiles_w;
  p.rows = sumi__up_to_i64(p.o, p.vector);
  p.columns = sumi__up_to_i64(p.i, p.vector);
  p.panels = (p.columns + PANEL * p.vector - 1) / (PANEL * p.vector);
  p.steps = sumi__min_i64(MOST_STEPS, BLOCK_UNITS / (positions(&p) * (p.rows + p.columns)));
  p.steps = sumi__min_i64(sumi__max_i64(FEWEST_STEPS, p.steps), (p.tiles + (pairs ? 1 : 0)) / (pairs ? 2 : 1));
  /* An odd number of cache lines more than the data, so that the positions of a tile fall into different sets. */
  p.a_position = sumi__up_to_i64(p.rows * p.steps, 16) | 16;
  p.b_position = sumi__up_to_i64(p.columns * p.steps, 16) | 16;
  p.c_position = p.rows * p.columns;
  return p;
}

/* ---- The choice ---- */

static bool supports(const sumi__prep *prep) {
  const sumi__conv_attrs *a = prep->node->attrs;
  return prep->options->winograd != SUMI_WINOGRAD_OFF && a->kernel_h == 3 && a->kernel_w == 3 && a->stride_h == 1 &&
         a->stride_w == 1 && a->dilation_h == 1 && a->dilation_w == 1 && a->groups == 1;
}

/* Costs in cycles of one core, of the layer and the instruction set alone, so that every run chooses the same. The
 * plain algorithm's columns are all taps of all channels, so that few channels waste nothing there. */
static double cost_direct(const sumi__winograd_grad *p, bool bf16) {
  const double products = 9.0 * (double)(p->n * p->oh * p->ow) * (double)(sumi__up_to_i64(p->o, ROWS) * p->i);
  return products / (double)(p->vector * (bf16 ? 2 : 1)) / 0.85;
}

static double cost_winograd(const sumi__winograd_grad *p) {
  const int64_t part = p->pairs ? 2 : 1, blocks = (p->tiles + p->steps * part - 1) / (p->steps * part);
  const double sums = (double)positions(p) * (double)p->c_position, tiles = (double)p->tiles;
  const double products = sums * tiles / (double)(p->vector * part) / 0.85;
  const double vectors = (double)(p->rows + p->columns) / (double)p->vector;
  return products + tiles * vectors * (p->m == 4 ? 350.0 : 110.0) + sums * (0.5 * (double)blocks + 1.0);
}

static size_t floats(const sumi__winograd_grad *p) {
  const int64_t zeros = sumi__up_to_i64(sumi__max_i64(p->i, p->o), 16);
  return (size_t)(zeros + positions(p) * (p->a_position + p->b_position + p->c_position));
}

static sumi_status prepare(sumi__prep *prep) {
  const bool bf16 = prep->node->inputs[0]->dtype == SUMI_BF16;
  const bool pairs = bf16 && prep->ctx->isa >= SUMI__ISA_AVX512_BF16;
  const struct {
    int m;
    bool pairs, allowed;
  } ways[] = {{2, false, true},
              {4, false, true},
              {2, true, pairs},
              {4, true, pairs && prep->options->winograd == SUMI_WINOGRAD_FAST}};
  sumi__winograd_grad best = geometry(prep, 2, false);
  double lowest = cost_direct(&best, pairs);
  bool found = false;
  for (size_t k = 0; k < sizeof ways / sizeof *ways; k++) {
    if (!ways[k].allowed) continue;
    const sumi__winograd_grad p = geometry(prep, ways[k].m, ways[k].pairs);
    const double cost = cost_winograd(&p);
    if (cost >= lowest || positions(&p) * p.c_position * (int64_t)sizeof(float) > MOST_SUMS) continue;
    lowest = cost;
    best = p;
    found = true;
  }
  if (!found) return SUMI_UNSUPPORTED;
  sumi__winograd_grad *p = sumi__alloc(prep->ctx, sizeof *p);
  if (!p) return SUMI_NO_MEMORY;
  *p = best;
  prep->scratch_bytes = floats(p) * sizeof(float);
  prep->state = p;
  return SUMI_OK;
}

/* ---- Running ---- */

static sumi_status run(const sumi__call *c) {
  const sumi__winograd_grad *p = c->state;
  const int64_t part = p->pairs ? 2 : 1, zeros = sumi__up_to_i64(sumi__max_i64(p->i, p->o), 16);
  float *memory = c->scratch;
  sumi__winograd_grad_run r = {.p = p, .x = c->in[0], .dy = c->in[1], .dw = c->out[0], .zeros = memory};
  memset(memory, 0, (size_t)zeros * sizeof *memory);
  r.a = memory + zeros;
  r.b = r.a + positions(p) * p->a_position;
  r.c = r.b + positions(p) * p->b_position;
  for (r.first = 0; r.first < p->tiles; r.first += p->steps * part) {
    r.used = sumi__min_i64(p->steps, (p->tiles - r.first + part - 1) / part);
    sumi__parallel_for(c->threads, r.used, 1, SUMI__ISA_PICK(c->ctx, sumi__cpu_winograd_grad_pixels), &r);
    sumi__parallel_for(c->threads, positions(p) * p->panels, 1,
                       SUMI__ISA_PICK(c->ctx, sumi__cpu_winograd_grad_products), &r);
  }
  sumi__parallel_for(c->threads, p->o, 1, SUMI__ISA_PICK(c->ctx, sumi__cpu_winograd_grad_taps), &r);
  return SUMI_OK;
}

static void destroy(sumi_context *ctx, void *state) { sumi__free(ctx, state); }

const sumi__kernel sumi__cpu_conv2d_weight_grad_winograd = {
    .supports = supports, .prepare = prepare, .run = run, .destroy = destroy};
