#include "tensor/graph.h"

#include <inttypes.h>
#include <stdio.h>

sumi_shape sumi_shape_make(int rank, const int64_t *dims) {
  sumi_shape s = {.rank = rank};
  if (rank < 0 || rank > SUMI_MAX_RANK) {
    s.rank = -1;
    return s;
  }
  for (int i = 0; i < rank; i++) s.dims[i] = dims[i];
  return s;
}

int64_t sumi_shape_count(const sumi_shape *s) {
  int64_t count = 1;
  for (int i = 0; i < s->rank; i++) count *= s->dims[i];
  return count;
}

bool sumi_shape_equal(const sumi_shape *a, const sumi_shape *b) {
  if (a->rank != b->rank) return false;
  for (int i = 0; i < a->rank; i++)
    if (a->dims[i] != b->dims[i]) return false;
  return true;
}

bool sumi__shape_valid(const sumi_shape *s) {
  if (s->rank < 0 || s->rank > SUMI_MAX_RANK) return false;
  int64_t count = 1;
  for (int i = 0; i < s->rank; i++) {
    if (s->dims[i] < 1 || !sumi__mul_i64(count, s->dims[i], &count)) return false;
    if (count > (INT64_C(1) << 59)) return false; /* times 8 bytes stays below 2^62 */
  }
  return true;
}

const char *sumi__shape_print(sumi__shape_text *b, const sumi_shape *s) {
  size_t n = 0;
  b->text[n++] = '[';
  for (int i = 0; i < s->rank; i++)
    n += (size_t)snprintf(b->text + n, sizeof b->text - n, "%s%" PRId64, i ? ", " : "", s->dims[i]);
  snprintf(b->text + n, sizeof b->text - n, "]");
  return b->text;
}

int64_t sumi__count(const sumi_tensor *t) { return sumi_shape_count(&t->shape); }
size_t sumi__tensor_bytes(const sumi_tensor *t) { return (size_t)sumi__count(t) * sumi_dtype_bytes(t->dtype); }

int sumi__axis(const sumi_shape *s, int axis) {
  if (axis < 0) axis += s->rank;
  return axis >= 0 && axis < s->rank ? axis : -1;
}

bool sumi__broadcast_shapes(const sumi_shape *a, const sumi_shape *b, sumi_shape *out) {
  out->rank = a->rank > b->rank ? a->rank : b->rank;
  for (int i = 1; i <= out->rank; i++) {
    const int64_t da = i <= a->rank ? a->dims[a->rank - i] : 1;
    const int64_t db = i <= b->rank ? b->dims[b->rank - i] : 1;
    if (da != db && da != 1 && db != 1) return false;
    out->dims[out->rank - i] = da == 1 ? db : da;
  }
  return true;
}

void sumi__broadcast_strides(const sumi_shape *from, const sumi_shape *to, int64_t strides[SUMI_MAX_RANK]) {
  int64_t stride = 1;
  for (int i = 1; i <= to->rank; i++) {
    const int64_t d = i <= from->rank ? from->dims[from->rank - i] : 1;
    strides[to->rank - i] = d == 1 ? 0 : stride;
    stride *= d;
  }
}
