#include "base/base.h"
#include "base/isa.h"

#include <stdlib.h>
#include <string.h>

/* NULL hooks mean the C library's aligned_alloc. */
static void *default_allocate(void *user, size_t bytes) {
  (void)user;
  return aligned_alloc(64, sumi__align_up(bytes ? bytes : 1, 64));
}

static void default_release(void *user, void *memory) {
  (void)user;
  free(memory);
}

sumi_status sumi_context_create(const sumi_context_options *options, sumi_context **out) {
  *out = NULL;
  sumi_context_options chosen = {0};
  if (options) chosen = *options;
  if (chosen.threads < 0 || chosen.threads > 1024) return SUMI_INVALID;
  if (!chosen.allocate != !chosen.release) return SUMI_INVALID;
  if ((unsigned)chosen.winograd > SUMI_WINOGRAD_OFF) return SUMI_INVALID;
  if (!chosen.allocate) {
    chosen.allocate = default_allocate;
    chosen.release = default_release;
  }
  sumi__isa isa;
  if (!sumi__isa_choose(chosen.max_isa, &isa)) return SUMI_INVALID;
  sumi_context *ctx = chosen.allocate(chosen.memory_user, sizeof *ctx);
  if (!ctx) return SUMI_NO_MEMORY;
  memset(ctx, 0, sizeof *ctx);
  ctx->options = chosen;
  ctx->options.max_isa = NULL; /* the caller's string is not ours to keep */
  ctx->isa = isa;
  ctx->tiles = isa == SUMI__ISA_AVX512_BF16 && sumi__isa_has_tiles();
  ctx->threads = chosen.threads ? chosen.threads : sumi__processor_count();
  *out = ctx;
  return SUMI_OK;
}

void sumi_context_free(sumi_context *ctx) {
  if (ctx) ctx->options.release(ctx->options.memory_user, ctx);
}

const char *sumi_context_error(const sumi_context *ctx) { return ctx ? ctx->error : ""; }

int sumi_context_threads(const sumi_context *ctx) { return ctx->threads; }
