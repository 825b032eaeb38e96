/* The U-Net as two programs: keys and values of a context, computed once for it, and the step that reads them. */
#include "pipeline/engine.h"

#include <string.h>

void sumi__unet_runner_drop(sumi__unet_runner *r) {
  sumi_program_free(r->program);
  sumi_program_free(r->context_program);
  sumi_graph_free(r->g);
  sumi_graph_free(r->context_g);
  sumi__free(r->ctx, r->kv_in);
  sumi__free(r->ctx, r->kv_out);
  r->program = r->context_program = NULL;
  r->g = r->context_g = NULL;
  r->kv_in = r->kv_out = NULL;
}

static bool same_shape(const sumi__unet_shape *a, const sumi__unet_shape *b) {
  return a->rows == b->rows && a->height == b->height && a->width == b->width && a->tokens == b->tokens &&
         a->compute == b->compute;
}

static sumi_status compile_context(sumi__unet_runner *r) {
  sumi_status status = SUMI_OK;
  const sumi__unet2d_config *config = &r->engine->model->unet;
  SUMI_TRY(sumi_graph_create(r->ctx, &r->context_g));
  sumi_graph_set_compute(r->context_g, r->shape.compute);
  r->context =
      sumi_input(r->context_g, "context", SUMI_F32, SUMI_SHAPE(1, r->shape.tokens, config->cross_attention_dim));
  const sumi__nn nn = sumi__nn_root(r->context_g, r->engine->unet);
  if (sumi__unet2d_context(&nn, config, r->context, r->kv_out))
    SUMI_TRY(sumi_compile(r->backend, r->context_g, r->kv_count, r->kv_out,
                          &(sumi_compile_options){.frozen = true, .name = "unet context"}, &r->context_program));
  SUMI_TRY(sumi_graph_status(r->context_g));
done:
  return status;
}

static sumi_status compile_step(sumi__unet_runner *r) {
  sumi_status status = SUMI_OK;
  const sumi__unet2d_config *config = &r->engine->model->unet;
  const sumi__unet_shape *s = &r->shape;
  SUMI_TRY(sumi_graph_create(r->ctx, &r->g));
  sumi_graph_set_compute(r->g, s->compute);
  r->sample = sumi_input(r->g, "sample", SUMI_F32, SUMI_SHAPE(s->rows, s->height, s->width, config->in_channels));
  r->timesteps = sumi_input(r->g, "timesteps", SUMI_F32, SUMI_SHAPE(s->rows));
  for (int i = 0; i < r->kv_count; i++) {
    const int64_t width = sumi__unet2d_context_width(config, i / 2);
    r->kv_in[i] = sumi_input(r->g, NULL, s->compute, SUMI_SHAPE(s->rows, s->tokens, width));
  }
  const sumi__nn nn = sumi__nn_root(r->g, r->engine->unet);
  const sumi__unet2d_extras extras = {.context_kv = r->kv_in};
  r->out = sumi__unet2d(&nn, config, r->sample, r->timesteps, NULL, &extras);
  SUMI_TRY(sumi_graph_status(r->g));
  SUMI_TRY(
      sumi_compile(r->backend, r->g, 1, &r->out, &(sumi_compile_options){.frozen = true, .name = "unet"}, &r->program));
done:
  return status;
}

sumi_status sumi__unet_prepare(sumi__unet_runner *r, const sumi__unet_shape *shape) {
  sumi_status status = SUMI_OK;
  if (r->program && same_shape(&r->shape, shape)) return SUMI_OK;
  sumi__unet_runner_drop(r);
  r->shape = *shape;
  r->kv_count = 2 * sumi__unet2d_context_count(&r->engine->model->unet);
  r->kv_in = sumi__alloc_array(r->ctx, (size_t)r->kv_count, sizeof *r->kv_in);
  r->kv_out = sumi__alloc_array(r->ctx, (size_t)r->kv_count, sizeof *r->kv_out);
  SUMI_TRY(r->kv_in && r->kv_out ? SUMI_OK : SUMI_NO_MEMORY);
  SUMI_TRY(compile_context(r));
  SUMI_TRY(compile_step(r));
done:
  if (status != SUMI_OK) sumi__unet_runner_drop(r);
  return status;
}

static size_t kv_bytes(const sumi__unet_runner *r, int i) { return sumi__tensor_bytes(r->kv_out[i]); }

size_t sumi__unet_context_bytes(const sumi__unet_runner *r) {
  size_t bytes = 0;
  for (int i = 0; i < r->kv_count; i++) bytes += kv_bytes(r, i);
  return bytes;
}

sumi_status sumi__unet_read_context(sumi__unet_runner *r, const float *context, void *kv) {
  sumi_status status = SUMI_OK;
  SUMI_TRY(sumi_set(r->context_program, r->context, context));
  SUMI_TRY(sumi_run(r->context_program));
  char *to = kv;
  for (int i = 0; i < r->kv_count; to += kv_bytes(r, i++)) SUMI_TRY(sumi_get(r->context_program, r->kv_out[i], to));
done:
  return status;
}

void sumi__unet_set_context(sumi__unet_runner *r, int64_t row, const void *kv) {
  const char *from = kv;
  for (int i = 0; i < r->kv_count; from += kv_bytes(r, i++))
    memcpy((char *)sumi_data(r->program, r->kv_in[i]) + (size_t)row * kv_bytes(r, i), from, kv_bytes(r, i));
}

float *sumi__unet_sample_row(sumi__unet_runner *r, int64_t row) {
  const int64_t size = r->shape.height * r->shape.width * r->engine->model->unet.in_channels;
  return (float *)sumi_data(r->program, r->sample) + row * size;
}

float *sumi__unet_timesteps(sumi__unet_runner *r) { return sumi_data(r->program, r->timesteps); }

const float *sumi__unet_output_row(sumi__unet_runner *r, int64_t row) {
  const int64_t size = r->shape.height * r->shape.width * r->engine->model->unet.out_channels;
  return (const float *)sumi_data(r->program, r->out) + row * size;
}

sumi_status sumi__unet_run(sumi__unet_runner *r) { return sumi_run(r->program); }
