#include "cpu/lent.h"

bool sumi__lent_read(const sumi__load_attrs *a, int64_t rows, int64_t channels, int64_t taps, sumi__lent *out) {
  const int64_t *d = a->shape.dims;
  const bool fits = a->layout == SUMI__LAYOUT_CONV ? d[0] == rows && d[1] * d[2] == taps && d[3] == channels
                                                   : taps == 1 && sumi_shape_count(&a->shape) == rows * channels;
  *out = (sumi__lent){a->data, a->from, rows, channels, taps};
  return fits;
}

static int64_t vector_of(const sumi_context *ctx) {
  return ctx->isa >= SUMI__ISA_AVX512 ? 16 : ctx->isa >= SUMI__ISA_AVX2 ? 8 : 4;
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

sumi_status sumi__lent_pack_dnn(const sumi__call *c, const sumi__load_attrs *a, const sumi__dnn *d, void *packed) {
  sumi__dnn_sizes s;
  sumi__lent_packing k = {.dtype = a->dtype, .packed = packed};
  const int64_t vector = vector_of(c->ctx), pair = a->dtype == SUMI_BF16 ? 2 : 1;
  if (!sumi__dnn_packed_sizes(d, &s) || a->dtype != s.dtype) return SUMI_UNSUPPORTED;
  if (s.taps * 2 > SUMI__LENT_VALUES || !sumi__lent_read(a, s.columns, s.depth, s.taps, &k.lent))
    return SUMI_UNSUPPORTED;
  int64_t *places = sumi__alloc_array(c->ctx, (size_t)(s.padded_columns + s.padded_depth + s.taps), sizeof *places);
  if (!places) return SUMI_NO_MEMORY;
  int64_t *of_channel = places + s.padded_columns, *of_tap = of_channel + s.padded_depth;
  sumi__dnn_packed_places(d, places, of_channel, of_tap);
  const bool regular =
      thin_out(places, s.padded_columns, vector, pair) && thin_out(of_channel, s.padded_depth, pair, 1);
  if (regular) {
    k.vectors = s.padded_columns / vector;
    k.channels = s.padded_depth;
    k.block = sumi__min_i64(SUMI__LENT_CHANNELS, SUMI__LENT_VALUES / s.taps / 2 * 2);
    k.group = side_by_side(places, k.vectors, vector * pair);
    k.of_row = places, k.of_channel = of_channel, k.of_tap = of_tap;
    const int64_t items = (k.vectors + k.group - 1) / k.group * ((k.channels + k.block - 1) / k.block);
    sumi__parallel_for(c->threads, items, 1, SUMI__ISA_PICK(c->ctx, sumi__cpu_lent_pack), &k);
  }
  sumi__free(c->ctx, places);
  return regular ? SUMI_OK : SUMI_UNSUPPORTED;
}
