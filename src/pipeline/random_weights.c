#include "pipeline/random_weights.h"

#include "base/random.h"

#include <math.h>
#include <string.h>

/* Each parameter begins at another place of its array, since programs tell packed copies apart by where the values
 * lie. */
enum { APART = 32, BLOCK = 1024 };

static bool is_parameter(const sumi__node *n) { return n->op == &sumi__op_input && n->name; }

/* The power of two next to 1 / sqrt(inputs of one output), as PyTorch begins: activations then keep their size. */
static int scale_of(const sumi_shape *shape) {
  const double fan_in = (double)sumi_shape_count(shape) / (double)shape->dims[0];
  const long k = lround(log2(sqrt(fan_in)));
  return k < 0 ? 0 : k < SUMI__RANDOM_SCALES ? (int)k : SUMI__RANDOM_SCALES - 1;
}

static sumi_status draw(sumi_context *ctx, int scale, size_t count, uint16_t **out) {
  float block[BLOCK];
  sumi__rng rng;
  sumi__rng_seed(&rng, 1 + (uint64_t)scale);
  uint16_t *values = *out = sumi__alloc_array(ctx, count, sizeof *values);
  if (!values) return SUMI_NO_MEMORY;
  for (size_t at = 0; at < count; at += BLOCK) {
    const size_t n = count - at < BLOCK ? count - at : BLOCK;
    sumi__rng_uniform(&rng, -ldexpf(1.0f, -scale), ldexpf(1.0f, -scale), block, n);
    sumi__from_f32(values + at, SUMI_F16, block, (int64_t)n);
  }
  return SUMI_OK;
}

/* Arrays as long as their largest parameter. */
static sumi_status draw_all(const sumi_graph *sketch, sumi__random_weights *r) {
  sumi_status status = SUMI_OK;
  size_t most[SUMI__RANDOM_SCALES] = {0};
  for (size_t i = 0; i < sketch->n_nodes; i++) {
    const sumi_shape *shape = &sketch->nodes[i]->outputs[0]->shape;
    if (!is_parameter(sketch->nodes[i]) || shape->rank < 2) continue;
    const size_t count = (size_t)sumi_shape_count(shape) + i * APART;
    if (count > most[scale_of(shape)]) most[scale_of(shape)] = count;
  }
  for (int k = 0; k < SUMI__RANDOM_SCALES; k++)
    if (most[k]) SUMI_TRY(draw(r->ctx, k, most[k], &r->values[k]));
done:
  return status;
}

static sumi_status add_vector(sumi__random_weights *r, const char *name, sumi_shape shape) {
  sumi__weight *w;
  const char *last = strrchr(name, '.');
  const sumi_status status = sumi__weights_add(r->weights, name, SUMI_F32, shape, SUMI__LAYOUT_PLAIN, false, &w);
  if (status != SUMI_OK) return status;
  for (int64_t i = 0; i < sumi_shape_count(&shape); i++)
    ((float *)w->data)[i] = last && strcmp(last, ".weight") == 0 ? 1.0f : 0.0f;
  return SUMI_OK;
}

sumi_status sumi__random_weights_make(sumi_context *ctx, const sumi_graph *sketch, sumi__random_weights *out) {
  sumi_status status = SUMI_OK;
  *out = (sumi__random_weights){.ctx = ctx};
  SUMI_TRY(sumi_weights_create(ctx, &out->weights));
  SUMI_TRY(draw_all(sketch, out));
  for (size_t i = 0; i < sketch->n_nodes; i++) {
    const sumi__node *n = sketch->nodes[i];
    if (!is_parameter(n)) continue;
    const sumi_shape shape = n->outputs[0]->shape;
    if (shape.rank < 2)
      SUMI_TRY(add_vector(out, n->name, shape));
    else
      SUMI_TRY(sumi__weights_lend(out->weights, n->name, SUMI_F16, out->values[scale_of(&shape)] + i * APART, false,
                                  shape, shape.rank == 4 ? SUMI__LAYOUT_CONV : SUMI__LAYOUT_PLAIN));
  }
done:
  return status;
}

void sumi__random_weights_free(sumi__random_weights *r) {
  sumi_weights_free(r->weights);
  for (int k = 0; k < SUMI__RANDOM_SCALES; k++) sumi__free(r->ctx, r->values[k]);
}
