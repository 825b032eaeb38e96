/* Kernels that move values and compute nothing: permute, concat, slice, pad. Each is a copy of boxes with strides on
 * both sides: whole runs of memory where both sides have them, blocked transposes else. */
#include "cpu/cpu.h"
#include "ops/ops.h"

#include <string.h>

enum { TRANSPOSE_TILE = 32, BYTES_FOR_A_THREAD = 65536 };

/* A copy of a box. Dimensions are joined; all strides are in elements of `bytes` bytes. */
typedef struct box_copy {
  char *to;
  const char *from;
  size_t bytes;
  int n; /* dimensions that are stepped through, outermost first */
  int64_t dims[SUMI_MAX_RANK], to_strides[SUMI_MAX_RANK], from_strides[SUMI_MAX_RANK];
  /* What each step copies: `length` elements in one piece, or a matrix whose lines run along memory on one side and
   * whose columns do on the other: element (i, j) goes to i + j * to_line, from j + i * from_line. */
  int64_t length;
  bool transposes;
  int64_t lines, to_line, from_line;
  int64_t cut, cuts; /* a step is done in pieces: of so much of its length, or so many lines */
} box_copy;

static void drop_dimension(box_copy *b, int d) {
  b->n--;
  for (int k = d; k < b->n; k++) {
    b->dims[k] = b->dims[k + 1];
    b->to_strides[k] = b->to_strides[k + 1];
    b->from_strides[k] = b->from_strides[k + 1];
  }
}

static void plan_box(box_copy *b, const sumi_shape *box, const int64_t *to_strides, const int64_t *from_strides) {
  b->n = 0;
  for (int d = 0; d < box->rank; d++) {
    if (box->dims[d] == 1) continue;
    const int last = b->n - 1;
    const bool join = b->n && b->to_strides[last] == to_strides[d] * box->dims[d] &&
                      b->from_strides[last] == from_strides[d] * box->dims[d];
    const int at = join ? last : b->n++;
    b->dims[at] = join ? b->dims[at] * box->dims[d] : box->dims[d];
    b->to_strides[at] = to_strides[d];
    b->from_strides[at] = from_strides[d];
  }
  b->length = 1;
  b->transposes = false;
  int inner_to = -1, inner_from = -1;
  for (int d = 0; d < b->n; d++) {
    if (b->to_strides[d] == 1) inner_to = d;
    if (b->from_strides[d] == 1) inner_from = d;
  }
  if (inner_to >= 0 && inner_from >= 0) {
    b->length = b->dims[inner_to];
    b->transposes = inner_to != inner_from;
    b->lines = b->dims[inner_from];
    b->to_line = b->to_strides[inner_from];
    b->from_line = b->from_strides[inner_to];
    drop_dimension(b, inner_to > inner_from ? inner_to : inner_from);
    if (b->transposes) drop_dimension(b, inner_to < inner_from ? inner_to : inner_from);
  }
}

/* Lines [j0, j1) of a step that transposes, in tiles that stay in the cache. */
#define TRANSPOSE(type)                                                                                                \
  for (int64_t i0 = 0; i0 < b->length; i0 += TRANSPOSE_TILE) {                                                         \
    const int64_t i1 = sumi__min_i64(i0 + TRANSPOSE_TILE, b->length);                                                  \
    for (int64_t j = j0; j < j1; j++)                                                                                  \
      for (int64_t i = i0; i < i1; i++) ((type *)to)[i + j * b->to_line] = ((const type *)from)[j + i * b->from_line]; \
  }

static void transpose_lines(const box_copy *b, void *to, const void *from, int64_t j0, int64_t j1) {
  switch (b->bytes) {
  case 1: TRANSPOSE(uint8_t) return;
  case 2: TRANSPOSE(uint16_t) return;
  case 4: TRANSPOSE(uint32_t) return;
  default: TRANSPOSE(uint64_t) return;
  }
}

/* Piece `cut` of a step. */
static void copy_piece(const box_copy *b, char *to, const char *from, int64_t cut) {
  const int64_t begin = cut * b->cut, end = sumi__min_i64(begin + b->cut, b->transposes ? b->lines : b->length);
  if (!b->transposes) {
    memcpy(to + (size_t)begin * b->bytes, from + (size_t)begin * b->bytes, (size_t)(end - begin) * b->bytes);
    return;
  }
  for (int64_t j = begin; j < end; j += TRANSPOSE_TILE)
    transpose_lines(b, to, from, j, sumi__min_i64(j + TRANSPOSE_TILE, end));
}

static void copy_range(void *arg, int64_t begin, int64_t end, int worker) {
  const box_copy *b = arg;
  (void)worker;
  for (int64_t piece = begin; piece < end; piece++) {
    int64_t rest = piece / b->cuts, to = 0, from = 0;
    for (int d = b->n - 1; d >= 0; d--) {
      const int64_t index = rest % b->dims[d];
      rest /= b->dims[d];
      to += index * b->to_strides[d];
      from += index * b->from_strides[d];
    }
    copy_piece(b, b->to + (size_t)to * b->bytes, b->from + (size_t)from * b->bytes, piece % b->cuts);
  }
}

/* Copies a box of elements of 1, 2, 4 or 8 bytes. */
static void copy_box(int threads, void *to, const int64_t *to_strides, const void *from, const int64_t *from_strides,
                     const sumi_shape *box, size_t bytes) {
  box_copy b = {.to = to, .from = from, .bytes = bytes};
  plan_box(&b, box, to_strides, from_strides);
  int64_t steps = 1;
  for (int d = 0; d < b.n; d++) steps *= b.dims[d];
  const int64_t along = b.transposes ? b.lines : b.length;
  b.cut = b.transposes ? 2 * TRANSPOSE_TILE : BYTES_FOR_A_THREAD;
  b.cuts = (along + b.cut - 1) / b.cut;
  const int64_t piece_bytes = sumi__min_i64(b.cut, along) * (b.transposes ? b.length : 1) * (int64_t)bytes;
  sumi__parallel_for(threads, steps * b.cuts, sumi__max_i64(1, BYTES_FOR_A_THREAD / piece_bytes), copy_range, &b);
}

/* ---- The operators ---- */

static sumi_status run_permute(const sumi__call *c) {
  const sumi__permute_attrs *a = c->node->attrs;
  const sumi_tensor *x = c->node->inputs[0], *y = c->node->outputs[0];
  int64_t to[SUMI_MAX_RANK], from[SUMI_MAX_RANK], moved[SUMI_MAX_RANK];
  sumi__strides(&y->shape, to);
  sumi__strides(&x->shape, from);
  for (int i = 0; i < y->shape.rank; i++) moved[i] = from[a->axes[i]];
  copy_box(c->threads, c->out[0], to, c->in[0], moved, &y->shape, sumi_dtype_bytes(x->dtype));
  return SUMI_OK;
}

static sumi_status run_concat(const sumi__call *c) {
  const int axis = ((const sumi__concat_attrs *)c->node->attrs)->axis;
  const size_t bytes = sumi_dtype_bytes(c->node->outputs[0]->dtype);
  int64_t to[SUMI_MAX_RANK], from[SUMI_MAX_RANK];
  char *at = c->out[0];
  sumi__strides(&c->node->outputs[0]->shape, to);
  for (int i = 0; i < c->node->n_inputs; i++) {
    const sumi_shape *shape = &c->node->inputs[i]->shape;
    sumi__strides(shape, from);
    copy_box(c->threads, at, to, c->in[i], from, shape, bytes);
    at += (size_t)(shape->dims[axis] * to[axis]) * bytes;
  }
  return SUMI_OK;
}

static sumi_status run_slice(const sumi__call *c) {
  const sumi__slice_attrs *a = c->node->attrs;
  const sumi_tensor *x = c->node->inputs[0], *y = c->node->outputs[0];
  const size_t bytes = sumi_dtype_bytes(x->dtype);
  int64_t to[SUMI_MAX_RANK], from[SUMI_MAX_RANK];
  sumi__strides(&y->shape, to);
  sumi__strides(&x->shape, from);
  const char *first = (const char *)c->in[0] + (size_t)(a->begin * from[a->axis]) * bytes;
  copy_box(c->threads, c->out[0], to, first, from, &y->shape, bytes);
  return SUMI_OK;
}

static void zero_range(void *arg, int64_t begin, int64_t end, int worker) {
  (void)worker;
  memset((char *)arg + begin, 0, (size_t)(end - begin));
}

static sumi_status run_pad(const sumi__call *c) {
  const sumi__pad_attrs *a = c->node->attrs;
  const sumi_tensor *x = c->node->inputs[0], *y = c->node->outputs[0];
  const size_t bytes = sumi_dtype_bytes(x->dtype);
  int64_t to[SUMI_MAX_RANK], from[SUMI_MAX_RANK], first = 0;
  sumi__strides(&y->shape, to);
  sumi__strides(&x->shape, from);
  for (int i = 0; i < x->shape.rank; i++) first += a->before[i] * to[i];
  sumi__parallel_for(c->threads, (int64_t)sumi__tensor_bytes(y), BYTES_FOR_A_THREAD, zero_range, c->out[0]);
  copy_box(c->threads, (char *)c->out[0] + (size_t)first * bytes, to, c->in[0], from, &x->shape, bytes);
  return SUMI_OK;
}

const sumi__kernel sumi__cpu_permute = {.run = run_permute};
const sumi__kernel sumi__cpu_concat = {.run = run_concat};
const sumi__kernel sumi__cpu_slice = {.run = run_slice};
const sumi__kernel sumi__cpu_pad = {.run = run_pad};
