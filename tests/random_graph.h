/* Random graphs, for tests of what the compiler does to any graph: elementwise chains with broadcasts, casts and many
 * readers, between operators that are views, that move values, that reduce. All values stay within a few units. */
#ifndef SUMI_TESTS_RANDOM_GRAPH_H
#define SUMI_TESTS_RANDOM_GRAPH_H

#include "support.h"

#include "tensor/graph.h"

enum { RANDOM_GRAPH_INPUTS = 5, RANDOM_GRAPH_OUTPUTS = 5, RANDOM_GRAPH_TENSORS = 64 };

typedef struct random_graph {
  uint32_t state;
  sumi_graph *g;
  bool bf16; /* casts to bf16 among the operators */
  int n;
  sumi_tensor *pool[RANDOM_GRAPH_TENSORS]; /* the inputs first */
  int n_outputs;
  sumi_tensor *outputs[RANDOM_GRAPH_OUTPUTS + RANDOM_GRAPH_INPUTS];
} random_graph;

static inline uint32_t random_graph_below(random_graph *r, uint32_t n) { /* xorshift */
  r->state ^= r->state << 13;
  r->state ^= r->state >> 17;
  r->state ^= r->state << 5;
  return (r->state >> 4) % n;
}

/* Later tensors more often than earlier ones, so that the graph grows deep. */
static inline sumi_tensor *random_graph_pick(random_graph *r) {
  const uint32_t n = (uint32_t)r->n;
  return r->pool[random_graph_below(r, 3) ? n - 1 - random_graph_below(r, n < 6 ? n : 6) : random_graph_below(r, n)];
}

static inline sumi_tensor *random_graph_unary(random_graph *r, sumi_tensor *x) {
  switch (random_graph_below(r, 9)) {
  case 0: return sumi_silu(r->g, sumi_tanh(r->g, x));
  case 1: return sumi_sigmoid(r->g, x);
  case 2: return sumi_affine(r->g, x, -0.5f, 0.25f);
  case 3: return sumi_sin(r->g, x);
  case 4: return sumi_square(r->g, sumi_tanh(r->g, x));
  case 5: return sumi_gelu(r->g, sumi_clamp(r->g, x, -2.0f, 2.0f));
  case 6: return sumi_cast(r->g, x, r->bf16 ? SUMI_BF16 : SUMI_F32);
  case 7: return sumi_cast(r->g, x, SUMI_F32);
  default: return sumi_tanh(r->g, x);
  }
}

static inline sumi_tensor *random_graph_binary(random_graph *r, sumi_tensor *a, sumi_tensor *b) {
  sumi_shape joined;
  if (!sumi__broadcast_shapes(&a->shape, &b->shape, &joined) || sumi_shape_count(&joined) > 4096)
    return random_graph_unary(r, a);
  switch (random_graph_below(r, 4)) {
  case 0: return sumi_add(r->g, sumi_tanh(r->g, a), b);
  case 1: return sumi_sub(r->g, a, sumi_tanh(r->g, b));
  case 2: return sumi_maximum(r->g, a, b);
  default: return sumi_mul(r->g, sumi_tanh(r->g, a), b);
  }
}

/* Views, copies, reductions. */
static inline sumi_tensor *random_graph_other(random_graph *r, sumi_tensor *x) {
  const int rank = x->shape.rank, axis = rank ? (int)random_graph_below(r, (uint32_t)rank) : 0;
  const int64_t size = rank ? x->shape.dims[axis] : 1;
  int swap[SUMI_MAX_RANK] = {0, 1, 2, 3, 4, 5};
  if (rank < 2) return random_graph_unary(r, x);
  switch (random_graph_below(r, 7)) {
  case 0: return sumi_reshape(r->g, x, SUMI_SHAPE(-1, x->shape.dims[rank - 1]));
  case 1: return sumi_mean(r->g, x, 1, &axis, true);
  case 2: return sumi_softmax(r->g, x, axis);
  case 3: return sumi_slice(r->g, x, axis, size / 2, size);
  case 4: return sumi_concat(r->g, 2, (sumi_tensor *[]){x, sumi_slice(r->g, x, axis, 0, 1)}, axis);
  case 5: return sumi_stop_gradient(r->g, x);
  default:
    swap[0] = axis;
    swap[axis] = 0;
    return sumi_permute(r->g, x, swap);
  }
}

/* A graph of about `nodes` operators, whose outputs are the last tensor and a few of the others. */
static inline void random_graph_make(random_graph *r, sumi_graph *g, uint32_t seed, int nodes, bool bf16) {
  *r = (random_graph){.state = seed * 2654435761u + 1, .g = g, .bf16 = bf16};
  r->pool[r->n++] = sumi_input(g, "a", SUMI_F32, SUMI_SHAPE(2, 3, 8));
  r->pool[r->n++] = sumi_input(g, "b", SUMI_F32, SUMI_SHAPE(8));
  r->pool[r->n++] = sumi_input(g, "c", bf16 ? SUMI_BF16 : SUMI_F32, SUMI_SHAPE(2, 1, 8));
  r->pool[r->n++] = sumi_input(g, "d", SUMI_F32, SUMI_SHAPE(2, 3, 1));
  r->pool[r->n++] = sumi_input(g, "e", SUMI_F32, SUMI_SCALAR);
  while (g->status == SUMI_OK && r->n < RANDOM_GRAPH_INPUTS + nodes && r->n < RANDOM_GRAPH_TENSORS) {
    const uint32_t kind = random_graph_below(r, 10);
    sumi_tensor *a = random_graph_pick(r), *b = random_graph_pick(r);
    sumi_tensor *made = kind < 5   ? random_graph_binary(r, a, b)
                        : kind < 8 ? random_graph_unary(r, a)
                                   : random_graph_other(r, a);
    if (made && sumi__count(made) <= 4096) r->pool[r->n++] = made;
  }
  r->outputs[r->n_outputs++] = r->pool[r->n - 1];
  const uint32_t more = random_graph_below(r, 3);
  for (uint32_t i = 0; i < more; i++) r->outputs[r->n_outputs++] = r->pool[random_graph_below(r, (uint32_t)r->n)];
}

/* Adds the gradients of a loss that all outputs so far are part of, as further outputs. */
static inline sumi_status random_graph_differentiate(random_graph *r) {
  sumi_tensor *loss = NULL, *dx[RANDOM_GRAPH_INPUTS];
  for (int i = 0; i < r->n_outputs; i++) {
    sumi_tensor *term = sumi_mean_all(r->g, sumi_square(r->g, sumi_cast(r->g, r->outputs[i], SUMI_F32)));
    loss = loss ? sumi_add(r->g, loss, term) : term;
  }
  const sumi_status status = sumi_grad(r->g, loss, RANDOM_GRAPH_INPUTS, r->pool, dx);
  for (int i = 0; i < RANDOM_GRAPH_INPUTS && status == SUMI_OK; i++) r->outputs[r->n_outputs++] = dx[i];
  return status;
}

static inline void random_graph_set(const random_graph *r, sumi_program *p) {
  for (int i = 0; i < RANDOM_GRAPH_INPUTS; i++) {
    const sumi_tensor *t = r->pool[i];
    void *data = sumi_data(p, t);
    const int64_t count = sumi__count(t);
    float values[64];
    assert_true(count <= 64);
    for (int64_t k = 0; k < count; k++) values[k] = (float)((i * 37 + k * 29) % 41) / 20.0f - 1.0f;
    if (data) sumi__from_f32(data, t->dtype, values, count);
  }
}

#endif
