/* embedding and its gradient. The gradient's columns are shared among the threads, so that every sum is taken in the
 * order of the places, whatever their number. */
#include "cpu/convert.h"
#include "cpu/cpu.h"
#include "ops/ops.h"

#include <inttypes.h>
#include <string.h>

enum { TILE = 256 }; /* columns at once */

static int64_t id_at(const sumi_tensor *t, const void *ids, int64_t i) {
  return t->dtype == SUMI_I32 ? ((const int32_t *)ids)[i] : ((const int64_t *)ids)[i];
}

static sumi_status check_ids(const sumi__call *c, int64_t rows) {
  const sumi_tensor *ids = c->node->inputs[1];
  const int64_t count = sumi__count(ids);
  for (int64_t i = 0; i < count; i++) {
    const int64_t id = id_at(ids, c->in[1], i);
    if (id < 0 || id >= rows)
      return sumi__fail(c->ctx, SUMI_INVALID, "embedding: id %" PRId64 " at place %" PRId64 ", expected 0 to %" PRId64,
                        id, i, rows - 1);
  }
  return SUMI_OK;
}

static void copy_rows(void *arg, int64_t begin, int64_t end, int worker) {
  const sumi__call *c = arg;
  const sumi_tensor *table = c->node->inputs[0];
  const size_t bytes = (size_t)table->shape.dims[1] * sumi_dtype_bytes(table->dtype);
  (void)worker;
  for (int64_t i = begin; i < end; i++) {
    const size_t id = (size_t)id_at(c->node->inputs[1], c->in[1], i);
    memcpy((char *)c->out[0] + (size_t)i * bytes, (const char *)c->in[0] + id * bytes, bytes);
  }
}

static sumi_status run(const sumi__call *c) {
  const sumi_shape *table = &c->node->inputs[0]->shape;
  const sumi_status status = check_ids(c, table->dims[0]);
  if (status != SUMI_OK) return status;
  sumi__parallel_for(c->threads, sumi__count(c->node->inputs[1]), 16384 / table->dims[1] + 1, copy_rows, (void *)c);
  return SUMI_OK;
}

static void add_columns(const sumi__call *c, int64_t first, int64_t n) {
  const sumi_tensor *dy = c->node->inputs[0], *ids = c->node->inputs[1], *table = c->node->outputs[0];
  const int64_t width = table->shape.dims[1], rows = table->shape.dims[0], count = sumi__count(ids);
  const size_t bytes = sumi_dtype_bytes(dy->dtype);
  float piece[TILE];
  for (int64_t r = 0; r < rows; r++) memset((float *)c->out[0] + r * width + first, 0, (size_t)n * sizeof(float));
  for (int64_t i = 0; i < count; i++) {
    const char *from = (const char *)c->in[0] + (size_t)(i * width + first) * bytes;
    float *row = (float *)c->out[0] + id_at(ids, c->in[1], i) * width + first;
    SUMI__ISA_PICK(c->ctx, sumi__cpu_to_f32)(piece, from, dy->dtype, n);
    for (int64_t k = 0; k < n; k++) row[k] += piece[k];
  }
}

static void grad_range(void *arg, int64_t begin, int64_t end, int worker) {
  (void)worker;
  for (int64_t at = begin; at < end; at += TILE) add_columns(arg, at, sumi__min_i64(TILE, end - at));
}

static sumi_status run_grad(const sumi__call *c) {
  const sumi_shape *table = &c->node->outputs[0]->shape;
  const sumi_status status = check_ids(c, table->dims[0]);
  if (status != SUMI_OK) return status;
  sumi__parallel_for(c->threads, table->dims[1], 64, grad_range, (void *)c);
  return SUMI_OK;
}

const sumi__kernel sumi__cpu_embedding = {.run = run};
const sumi__kernel sumi__cpu_embedding_grad = {.run = run_grad};
