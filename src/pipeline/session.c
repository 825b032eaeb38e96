#include "pipeline/engine.h"

sumi_dtype sumi__precision_dtype(const sumi_context *ctx, sumi_precision precision) {
  if (precision == SUMI_PRECISION_AUTO) return ctx->isa >= SUMI__ISA_AVX512_BF16 ? SUMI_BF16 : SUMI_F32;
  return precision == SUMI_PRECISION_BF16 ? SUMI_BF16 : SUMI_F32;
}

sumi_status sumi_session_create(sumi_engine *engine, sumi_context *ctx, sumi_session **out) {
  sumi_status status = SUMI_OK;
  *out = NULL;
  sumi_session *s = sumi__alloc_zero(ctx, sizeof *s);
  if (!s) return SUMI_NO_MEMORY;
  s->engine = engine;
  s->ctx = ctx;
  SUMI_TRY(sumi_backend_cpu(ctx, &s->backend));
  s->text = (sumi__text_runner){.engine = engine, .ctx = ctx, .backend = s->backend};
  s->unet = (sumi__unet_runner){.engine = engine, .ctx = ctx, .backend = s->backend};
  *out = s;
  s = NULL;
done:
  sumi_session_free(s);
  return status;
}

void sumi_session_limit(sumi_session *s, size_t max_memory) {
  if (s->at_work) return;
  sumi_session_trim(s);
  s->max_memory = max_memory;
  s->text.thrift = s->unet.thrift = s->coder_thrift[0] = s->coder_thrift[1] = (sumi__thrift){0};
  s->unet.at_once = 0;
  s->planned = (sumi__work){0};
}

void sumi__session_drop_coder(sumi_session *s) {
  sumi__vae_coder_free(s->coder);
  s->coder = NULL;
}

sumi_status sumi__session_idle(const sumi_session *s) {
  if (!s->at_work) return SUMI_OK;
  return sumi__fail(s->ctx, SUMI_INVALID, "the session is in the middle of a job: this is not for its callbacks");
}

void sumi_session_trim(sumi_session *s) {
  if (s->at_work) return;
  sumi__text_runner_drop(&s->text);
  sumi__unet_runner_drop(&s->unet);
  sumi__session_drop_coder(s);
}

void sumi_session_free(sumi_session *s) {
  if (!s) return;
  sumi_session_trim(s);
  sumi_backend_free(s->backend);
  sumi__free(s->ctx, s);
}

sumi_status sumi__session_coder(sumi_session *s, sumi__vae_direction direction, sumi_dtype compute,
                                sumi__vae_coder **out) {
  sumi_status status = SUMI_OK;
  if (!s->coder || s->coder_direction != direction || s->coder_compute != compute) {
    const sumi__nn nn = sumi__nn_root(NULL, s->engine->vae);
    sumi__session_drop_coder(s);
    SUMI_TRY(sumi__vae_coder_create(s->backend, &nn, &s->engine->model->vae, direction, compute, &s->coder));
    sumi__vae_coder_save(s->coder, &s->coder_thrift[direction]);
    s->coder_direction = direction;
    s->coder_compute = compute;
  }
  *out = s->coder;
done:
  return status;
}
