/* sumi/bench.h: what this machine can do at most, measured, so that speeds can be given as a share of it. */
#ifndef SUMI_BENCH_H
#define SUMI_BENCH_H

#include "sumi/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sumi_machine {
  double f32_flops; /* operations a second of multiply-adds on f32 vectors, a multiply-add being two */
  /* Of bf16 products summed in f32, with the processor's instruction for that; or those of a large product by oneDNN,
   * if they are more, as where it multiplies tiles (AMX). Without such an instruction f32_flops. */
  double bf16_flops;
  double bytes_per_second; /* read from and written to memory beyond the caches */
  int threads;
  const char *isa; /* the instruction set that kernels use, "avx512" say; lent for ever */
  char cpu[64];    /* the processor's name for itself, "AMD EPYC" say, without commas; "unknown" where it has none */
} sumi_machine;

/* Measures the machine with the context's threads and instruction sets, for about half a second: the best of several
 * runs of loops that hold everything in registers, and of a scaled copy between two arrays of 64 MB.
 * Errors: NO_MEMORY. */
SUMI_API sumi_status sumi_measure_machine(sumi_context *ctx, sumi_machine *out);

/* ---- The networks of Stable Diffusion 1.5, with random weights -------------------------------------------------- */

typedef enum sumi_bench_network {
  SUMI_BENCH_UNET, /* one step with guidance: two latents for each picture, the prompts' keys and values given */
  SUMI_BENCH_VAE,  /* latents to pictures */
  SUMI_BENCH_TEXT  /* two prompts of 77 tokens for each picture */
} sumi_bench_network;

typedef struct sumi_bench_mode {
  sumi_dtype compute; /* SUMI_F32 or SUMI_BF16 */
  sumi_winograd winograd;
} sumi_bench_mode;

typedef struct sumi_bench_result {
  double median_seconds, best_seconds;
  double compile_seconds;
  /* The root mean square of the difference to the first mode's result, relative to the result's own. */
  double error;
  sumi_program_info program;
} sumi_bench_result;

typedef struct sumi_bench_options {
  sumi_bench_network network;
  int64_t side;  /* of a picture in pixels, a multiple of 8; 0 means 512 */
  int64_t batch; /* pictures; 0 means 1 */
  int runs;      /* of each mode, after one that does not count; 0 means 3 */
  int shrink;    /* divides all widths and the norms' groups: 1 (or 0), 2, 4 or 8; for tests */
  void *user;
  bool (*should_stop)(void *user); /* asked between runs; may be NULL */
  /* Called when the mode modes[i] has been measured; may be NULL. */
  void (*measured)(void *user, int i, const sumi_bench_result *result);
} sumi_bench_options;

/* Whether that can be measured. Errors: INVALID (options, modes). */
SUMI_API sumi_status sumi_bench_networks_check(sumi_context *ctx, const sumi_bench_options *options, int n,
                                               const sumi_bench_mode *modes);

/* Measures the network in each mode; results[i] is that of modes[i]. The same weights, lent in f16 as by a checkpoint,
 * and inputs serve all; beside what the programs keep, they take some 100 MB at most. In a profile (sumi/profile.h)
 * each mode is a program of its own, without the run that does not count. Errors: INVALID (options), NO_MEMORY,
 * CANCELLED (should_stop). */
SUMI_API sumi_status sumi_bench_networks(sumi_context *ctx, const sumi_bench_options *options, int n,
                                         const sumi_bench_mode *modes, sumi_bench_result *results);

#ifdef __cplusplus
}
#endif
#endif
