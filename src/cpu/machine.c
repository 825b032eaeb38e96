#include "cpu/machine.h"

#include "sumi/bench.h"

enum { FLOATS = 16 << 20, TIMES = 16 };

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
  out->bytes_per_second = 2.0 * FLOATS * sizeof(float) / copy;
done:
  sumi__free(ctx, from);
  sumi__free(ctx, loop.to);
  return status;
}
