/* Rows of a table: y[..., :] = table[ids[...], :], of the table's type. The gradient of the table is the sum, for each
 * row, of the dy of all places that took it, by an operator of its own; it is f32. */
#include "ops/ops.h"

#include <inttypes.h>
#include <string.h>

static int64_t id_at(const sumi_tensor *t, const void *ids, int64_t i) {
  return t->dtype == SUMI_I32 ? ((const int32_t *)ids)[i] : ((const int64_t *)ids)[i];
}

static sumi_status check_id(const sumi__call *c, int64_t id, int64_t i, int64_t rows) {
  if (id >= 0 && id < rows) return SUMI_OK;
  return sumi__fail(c->ctx, SUMI_INVALID, "embedding: id %" PRId64 " at place %" PRId64 ", expected 0 to %" PRId64, id,
                    i, rows - 1);
}

static bool infer(sumi_graph *g, sumi__node *n) {
  const sumi_tensor *table = n->inputs[0], *ids = n->inputs[1];
  sumi_shape shape = ids->shape;
  SUMI__INFER(g, sumi__is_float(table->dtype) && table->shape.rank == 2, SUMI_SHAPE,
              "embedding: the table is %s%s, expected f32, bf16 or f16 [V, D]", sumi_dtype_name(table->dtype),
              SUMI__SHAPE_STR(&table->shape));
  SUMI__INFER(g, sumi__is_index(ids->dtype) && shape.rank < SUMI_MAX_RANK, SUMI_SHAPE,
              "embedding: ids are %s%s, expected i32 or i64 of at most %d dimensions", sumi_dtype_name(ids->dtype),
              SUMI__SHAPE_STR(&shape), (int)SUMI_MAX_RANK - 1);
  shape.dims[shape.rank++] = table->shape.dims[1];
  return sumi__declare(g, n, 0, table->dtype, shape);
}

static sumi_status reference(const sumi__call *c) {
  const sumi_tensor *table = c->node->inputs[0], *ids = c->node->inputs[1];
  const int64_t width = table->shape.dims[1], count = sumi__count(ids);
  for (int64_t i = 0; i < count; i++) {
    const int64_t id = id_at(ids, c->in[1], i);
    const sumi_status status = check_id(c, id, i, table->shape.dims[0]);
    if (status != SUMI_OK) return status;
    memcpy((float *)c->out[0] + i * width, (const float *)c->in[0] + id * width, (size_t)width * sizeof(float));
  }
  return SUMI_OK;
}

static void grad(sumi_graph *g, const sumi__node *n, sumi_tensor *const *dy, const bool *need, sumi_tensor **dx) {
  const int64_t rows = n->inputs[0]->shape.dims[0];
  sumi_tensor *const inputs[] = {dy[0], n->inputs[1]};
  if (need[0]) dx[0] = sumi__build(g, &sumi__op_embedding_grad, 2, inputs, &rows, sizeof rows);
}

const sumi__op sumi__op_embedding = {.name = "embedding", .infer = infer, .reference = reference, .grad = grad};

sumi_tensor *sumi_embedding(sumi_graph *g, sumi_tensor *table, sumi_tensor *ids) {
  return sumi__build(g, &sumi__op_embedding, 2, (sumi_tensor *[]){table, ids}, NULL, 0);
}

/* ---- The gradient: dy (..., D), ids (...) -> d table (V, D) f32; the attribute is V ---- */

static bool infer_grad(sumi_graph *g, sumi__node *n) {
  const sumi_shape *dy = &n->inputs[0]->shape;
  return sumi__declare(g, n, 0, SUMI_F32, SUMI_SHAPE(*(const int64_t *)n->attrs, dy->dims[dy->rank - 1]));
}

static sumi_status reference_grad(const sumi__call *c) {
  const sumi_tensor *ids = c->node->inputs[1], *table = c->node->outputs[0];
  const int64_t width = table->shape.dims[1], count = sumi__count(ids);
  memset(c->out[0], 0, sumi__tensor_bytes(table));
  for (int64_t i = 0; i < count; i++) {
    const int64_t id = id_at(ids, c->in[1], i);
    const sumi_status status = check_id(c, id, i, table->shape.dims[0]);
    if (status != SUMI_OK) return status;
    const float *dy = (const float *)c->in[0] + i * width;
    float *row = (float *)c->out[0] + id * width;
    for (int64_t k = 0; k < width; k++) row[k] += dy[k];
  }
  return SUMI_OK;
}

const sumi__op sumi__op_embedding_grad = {.name = "embedding_grad", .infer = infer_grad, .reference = reference_grad};
