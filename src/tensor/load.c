#include "tensor/load.h"

#include <string.h>

static bool infer(sumi_graph *g, sumi__node *n) {
  const sumi__load_attrs *a = n->attrs;
  return sumi__declare(g, n, 0, a->dtype, a->shape);
}

/* Element i of the result is element j of the file. */
static int64_t file_index(const sumi__load_attrs *a, int64_t i) {
  if (a->layout != SUMI__LAYOUT_CONV) return i;
  const int64_t *d = a->shape.dims, area = d[1] * d[2], in = d[3];
  const int64_t channel = i % in, tap = i / in % area, out = i / in / area;
  return (out * in + channel) * area + tap;
}

static sumi_status reference(const sumi__call *c) {
  const sumi__load_attrs *a = c->node->attrs;
  const size_t bytes = sumi_dtype_bytes(a->from);
  const int64_t count = sumi_shape_count(&a->shape);
  float *out = c->out[0];
  for (int64_t i = 0; i < count; i++) {
    uint64_t aligned;
    memcpy(&aligned, (const char *)a->data + (size_t)file_index(a, i) * bytes, bytes);
    sumi__to_f32(&out[i], &aligned, a->from, 1);
  }
  return SUMI_OK;
}

const sumi__op sumi__op_load = {.name = "load", .flags = SUMI__OP_NO_GRAD, .infer = infer, .reference = reference};

void sumi__load_done(const sumi__load_attrs *a) {
  if (a->mapped) sumi__pages_release(a->data, (size_t)sumi_shape_count(&a->shape) * sumi_dtype_bytes(a->from));
}

static bool same(const sumi__load_attrs *a, const sumi__load_attrs *b) {
  return a->weights == b->weights && a->data == b->data && a->from == b->from && a->dtype == b->dtype &&
         a->layout == b->layout && sumi_shape_equal(&a->shape, &b->shape);
}

static sumi_tensor *load(sumi_graph *g, const sumi__load_attrs *attrs, const char *name) {
  for (size_t k = 0; k < g->n_nodes; k++) {
    const sumi__node *n = g->nodes[k];
    if (n->op == &sumi__op_load && same(n->attrs, attrs)) return n->outputs[0];
  }
  sumi_tensor *t = sumi__build(g, &sumi__op_load, 0, NULL, attrs, sizeof *attrs);
  if (t) t->node->name = sumi__arena_strdup(&g->arena, name);
  if (t && !t->node->name) sumi__graph_fail(g, SUMI_NO_MEMORY, "%s", g->ctx->error);
  return t;
}

sumi_tensor *sumi__load(sumi_graph *g, sumi_weights *weights, const sumi__weight *w, sumi_dtype dtype) {
  return load(g,
              &(sumi__load_attrs){.weights = weights,
                                  .data = w->lent,
                                  .from = w->lent_dtype,
                                  .dtype = dtype,
                                  .shape = w->shape,
                                  .layout = w->layout,
                                  .mapped = w->lent_mapped},
              w->name);
}

sumi_tensor *sumi__load_as(sumi_graph *g, const sumi_tensor *t, sumi_dtype dtype) {
  sumi__load_attrs attrs = *(const sumi__load_attrs *)t->node->attrs;
  attrs.dtype = dtype;
  return load(g, &attrs, t->node->name);
}
