#include "cpu/lent.h"

bool sumi__lent_read(const sumi__load_attrs *a, int64_t rows, int64_t channels, int64_t taps, sumi__lent *out) {
  const int64_t *d = a->shape.dims;
  const bool fits = a->layout == SUMI__LAYOUT_CONV ? d[0] == rows && d[1] * d[2] == taps && d[3] == channels
                                                   : taps == 1 && sumi_shape_count(&a->shape) == rows * channels;
  *out = (sumi__lent){a->data, a->from, rows, channels, taps};
  return fits;
}

/* Keeps each `step`-th of `count` places. False unless the ones between follow at distances of `distance`. */
static bool thin_out(int64_t *places, int64_t count, int64_t step, int64_t distance) {
  if (count % step != 0) return false;
  for (int64_t i = 0; i < count; i++)
    if (places[i] != places[i / step * step] + i % step * distance) return false;
  for (int64_t i = 0; i < count / step; i++) places[i] = places[i * step];
  return true;
}

/* How many vectors, from the first on, lie side by side; four are a cache line of bf16's tiles and more. */
static int64_t side_by_side(const int64_t *places, int64_t count, int64_t distance) {
  int64_t n = 1;
  while (n < 4 && n < count && places[n] == places[0] + n * distance) n++;
  return n;
}

/* The bytes of a group of vectors, if one follows the other; else 0. */
static size_t bytes_of_group(const sumi__lent_packing *k, int64_t vector) {
  const int64_t size = k->group * vector * k->channels * k->lent.taps;
  for (int64_t i = 0; i < k->vectors; i += k->group)
    if (k->of_row[i] != i / k->group * size) return 0;
  return k->vectors % k->group == 0 ? (size_t)size * sumi_dtype_bytes(k->dtype) : 0;
}

/* ---- Layouts of oneDNN's ---- */

/* What index `at` of a dimension contributes to the place of an element. */
static int64_t place_of(const sumi__dnn_blocks *b, int dim, int64_t at) {
  int64_t place = 0, stride = 1;
  for (int i = b->blocks - 1; i >= 0; stride *= b->sizes[i--]) {
    if (b->indices[i] != dim) continue;
    place += at % b->sizes[i] * stride;
    at /= b->sizes[i];
  }
  return place + at * b->strides[dim];
}

static int64_t taps_of(const sumi__dnn_blocks *b) { return b->ndims == 4 ? b->dims[2] * b->dims[3] : 1; }

static void find_places(const sumi__dnn_blocks *b, int64_t *of_row, int64_t *of_channel, int64_t *of_tap) {
  for (int64_t i = 0; i < b->padded[b->column_dim]; i++) of_row[i] = place_of(b, b->column_dim, i);
  for (int64_t i = 0; i < b->padded[b->depth_dim]; i++) of_channel[i] = place_of(b, b->depth_dim, i);
  for (int64_t i = 0; i < taps_of(b); i++)
    of_tap[i] = b->ndims == 4 ? place_of(b, 2, i / b->dims[3]) + place_of(b, 3, i % b->dims[3]) : 0;
}

sumi_status sumi__lent_pack_dnn(const sumi__call *c, const sumi__load_attrs *a, const sumi__dnn *d, void *packed) {
  sumi__dnn_blocks b;
  sumi__lent_packing k = {.dtype = a->dtype, .packed = packed};
  if (!sumi__dnn_packed_blocks(d, &b) || a->dtype != b.dtype || taps_of(&b) * 2 > SUMI__LENT_VALUES)
    return SUMI_UNSUPPORTED;
  if (!sumi__lent_read(a, b.dims[b.column_dim], b.dims[b.depth_dim], taps_of(&b), &k.lent)) return SUMI_UNSUPPORTED;
  const int64_t vector = sumi__isa_floats(c->ctx->isa), pair = a->dtype == SUMI_BF16 ? 2 : 1, taps = taps_of(&b);
  const int64_t rows = b.padded[b.column_dim], channels = b.padded[b.depth_dim];
  int64_t *of_row = sumi__alloc_array(c->ctx, (size_t)(rows + channels + taps), sizeof *of_row);
  if (!of_row) return SUMI_NO_MEMORY;
  int64_t *of_channel = of_row + rows, *of_tap = of_channel + channels;
  find_places(&b, of_row, of_channel, of_tap);
  const bool regular = thin_out(of_row, rows, vector, pair) && thin_out(of_channel, channels, pair, 1);
  if (regular) {
    k.vectors = rows / vector;
    k.channels = channels;
    k.block = sumi__min_i64(SUMI__LENT_CHANNELS, SUMI__LENT_VALUES / taps / 2 * 2);
    k.group = side_by_side(of_row, k.vectors, vector * pair);
    k.of_row = of_row, k.of_channel = of_channel, k.of_tap = of_tap;
    k.group_bytes = bytes_of_group(&k, vector);
    const int64_t items = (k.vectors + k.group - 1) / k.group * ((k.channels + k.block - 1) / k.block);
    sumi__parallel_for(c->threads, items, 1, SUMI__ISA_PICK(c->ctx, sumi__cpu_lent_pack), &k);
  }
  sumi__free(c->ctx, of_row);
  return regular ? SUMI_OK : SUMI_UNSUPPORTED;
}
