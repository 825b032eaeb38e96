#include "cpu/machine.h"

#include "sumi/bench.h"

#include "cpu/onednn.h"

enum { FLOATS = 16 << 20, TIMES = 16, PRODUCT = 1024 };

/* The shortest time of a call over `items`. */
static double best_seconds(const sumi_context *ctx, sumi__range_fn body, sumi__machine_loop *loop, int64_t items) {
  double best = 1e9;
  for (int i = 0; i < TIMES; i++) {
    const double start = sumi__now_seconds();
    sumi__parallel_for(ctx->threads, items, items / ctx->threads, body, loop);
    const double took = sumi__now_seconds() - start;
    best = took < best ? took : best;
  }
  return best;
}

/* Operations a second of a large product of bf16 by oneDNN, which knows of more instructions than the loops do; 0 where
 * it has none for it. `from` and `to` are memory enough. */
static sumi_status measure_product(sumi_context *ctx, const float *from, float *to, double *flops) {
  sumi_status status = SUMI_OK;
  const sumi__dnn_matmul spec = {
      .m = PRODUCT, .n = PRODUCT, .k = PRODUCT, .dtype = SUMI_BF16, .c_dtype = SUMI_F32, .pack = true};
  sumi__dnn *d = NULL;
  void *scratch = NULL, *packed = NULL;
  double best = 1e9;
  *flops = 0.0;
  const int threads_before = sumi__set_library_threads(ctx->threads);
  status = sumi__dnn_matmul_create(ctx, &spec, &d);
  if (status == SUMI_UNSUPPORTED) status = SUMI_OK;
  if (status != SUMI_OK || !d) goto done;
  scratch = sumi__alloc(ctx, sumi__dnn_scratch_bytes(d));
  packed = sumi__alloc(ctx, sumi__dnn_packed_bytes(d));
  SUMI_TRY(scratch && packed ? SUMI_OK : SUMI_NO_MEMORY);
  SUMI_TRY(sumi__dnn_pack(d, from, packed, scratch));
  for (int i = 0; i < TIMES; i++) {
    const double start = sumi__now_seconds();
    SUMI_TRY(sumi__dnn_run(d, from, packed, NULL, to, scratch));
    const double took = sumi__now_seconds() - start;
    best = took < best ? took : best;
  }
  *flops = 2.0 * PRODUCT * PRODUCT * PRODUCT / best;
done:
  sumi__set_library_threads(threads_before);
  sumi__dnn_free(d);
  sumi__free(ctx, scratch);
  sumi__free(ctx, packed);
  return status;
}

sumi_status sumi_measure_machine(sumi_context *ctx, sumi_machine *out) {
  sumi_status status = SUMI_NO_MEMORY;
  sumi__machine_loop loop = {.factor = 0.5f};
  const int64_t each = ctx->threads;
  *out = (sumi_machine){.threads = ctx->threads, .isa = sumi__isa_name(ctx->isa)};
  sumi__cpu_name(out->cpu);
  float *from = sumi__alloc_zero(ctx, FLOATS * sizeof *from);
  loop.to = sumi__alloc_zero(ctx, FLOATS * sizeof *loop.to);
  loop.from = from;
  if (!from || !loop.to) goto done;
  status = SUMI_OK;
  const double f32 = best_seconds(ctx, SUMI__ISA_PICK(ctx, sumi__cpu_machine_f32), &loop, each);
  const double bf16 = best_seconds(ctx, SUMI__ISA_PICK(ctx, sumi__cpu_machine_bf16), &loop, each);
  const double copy = best_seconds(ctx, SUMI__ISA_PICK(ctx, sumi__cpu_machine_copy), &loop, FLOATS);
  out->f32_flops = (double)each * loop.flops[0] / f32;
  out->bf16_flops = loop.flops[1] > 0.0 ? (double)each * loop.flops[1] / bf16 : out->f32_flops;
  double product = 0.0;
  if (ctx->isa == SUMI__ISA_AVX512_BF16) SUMI_TRY(measure_product(ctx, from, loop.to, &product));
  if (product > out->bf16_flops) out->bf16_flops = product;
  out->bytes_per_second = 2.0 * FLOATS * sizeof(float) / copy;
done:
  sumi__free(ctx, from);
  sumi__free(ctx, loop.to);
  return status;
}
