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
  sumi__free(r->ctx, r->rows_sample);
  sumi__free(r->ctx, r->rows_out);
  sumi__free(r->ctx, r->rows_timesteps);
  sumi__free(r->ctx, r->rows_kv);
  r->program = r->context_program = NULL;
  r->g = r->context_g = NULL;
  r->kv_in = r->kv_out = NULL;
  r->rows_sample = r->rows_out = r->rows_timesteps = NULL;
  r->rows_kv = NULL;
}

bool sumi__unet_is_prepared(const sumi__unet_runner *r, const sumi__unet_shape *shape) {
  const sumi__unet_shape *a = &r->shape;
  return r->program && a->rows == shape->rows && a->height == shape->height && a->width == shape->width &&
         a->tokens == shape->tokens && a->compute == shape->compute;
}

/* The rows of a run: what divides them all and is not more than wanted. */
static int64_t at_once(const sumi__unet_runner *r) {
  int64_t rows = r->at_once ? sumi__min_i64(r->at_once, r->shape.rows) : r->shape.rows;
  while (r->shape.rows % rows != 0) rows--;
  return rows;
}

static sumi_status sketch_context(sumi__unet_runner *r) {
  sumi_status status = SUMI_OK;
  const sumi__unet2d_config *config = &r->engine->model->unet;
  SUMI_TRY(sumi_graph_create(r->ctx, &r->context_g));
  sumi_graph_set_compute(r->context_g, r->shape.compute);
  r->context =
      sumi_input(r->context_g, "context", SUMI_F32, SUMI_SHAPE(1, r->shape.tokens, config->cross_attention_dim));
  const sumi__nn nn = sumi__nn_root(r->context_g, r->engine->unet);
  sumi__unet2d_context(&nn, config, r->context, r->kv_out);
  SUMI_TRY(sumi_graph_status(r->context_g));
done:
  return status;
}

static sumi_status sketch_step(sumi__unet_runner *r) {
  sumi_status status = SUMI_OK;
  const sumi__unet2d_config *config = &r->engine->model->unet;
  const sumi__unet_shape *s = &r->shape;
  const int64_t rows = at_once(r);
  SUMI_TRY(sumi_graph_create(r->ctx, &r->g));
  sumi_graph_set_compute(r->g, s->compute);
  r->sample = sumi_input(r->g, "sample", SUMI_F32, SUMI_SHAPE(rows, s->height, s->width, config->in_channels));
  r->timesteps = sumi_input(r->g, "timesteps", SUMI_F32, SUMI_SHAPE(rows));
  for (int i = 0; i < r->kv_count; i++) {
    const int64_t width = sumi__unet2d_context_width(config, i / 2);
    r->kv_in[i] = sumi_input(r->g, NULL, s->compute, SUMI_SHAPE(rows, s->tokens, width));
  }
  const sumi__nn nn = sumi__nn_root(r->g, r->engine->unet);
  const sumi__unet2d_extras extras = {.context_kv = r->kv_in};
  r->out = sumi__unet2d(&nn, config, r->sample, r->timesteps, NULL, &extras);
  SUMI_TRY(sumi_graph_status(r->g));
done:
  return status;
}

static sumi_status sketch(sumi__unet_runner *r, const sumi__unet_shape *shape) {
  sumi_status status = SUMI_OK;
  r->shape = *shape;
  r->kv_count = 2 * sumi__unet2d_context_count(&r->engine->model->unet);
  r->kv_in = sumi__alloc_array(r->ctx, (size_t)r->kv_count, sizeof *r->kv_in);
  r->kv_out = sumi__alloc_array(r->ctx, (size_t)r->kv_count, sizeof *r->kv_out);
  SUMI_TRY(r->kv_in && r->kv_out ? SUMI_OK : SUMI_NO_MEMORY);
  SUMI_TRY(sketch_context(r));
  SUMI_TRY(sketch_step(r));
done:
  return status;
}

static sumi_compile_options step_options(const sumi__unet_runner *r) {
  return (sumi_compile_options){
      .frozen = true, .winograd = r->thrift.winograd, .max_weight_bytes = r->thrift.max_weight_bytes, .name = "unet"};
}

/* Contexts are few: where weights are not kept, none of theirs is. */
static sumi_compile_options context_options(const sumi__unet_runner *r) {
  return (sumi_compile_options){
      .frozen = true, .max_weight_bytes = r->thrift.max_weight_bytes ? 1 : 0, .name = "unet context"};
}

/* All rows, where runs are of fewer. */
static sumi_status make_rows(sumi__unet_runner *r) {
  const sumi__unet2d_config *config = &r->engine->model->unet;
  const size_t rows = (size_t)r->shape.rows, pixels = (size_t)(r->shape.height * r->shape.width) * sizeof(float);
  if (at_once(r) == r->shape.rows) return SUMI_OK;
  r->rows_sample = sumi__alloc_array(r->ctx, rows, pixels * (size_t)config->in_channels);
  r->rows_out = sumi__alloc_array(r->ctx, rows, pixels * (size_t)config->out_channels);
  r->rows_timesteps = sumi__alloc_array(r->ctx, rows, sizeof *r->rows_timesteps);
  r->rows_kv = sumi__alloc_array(r->ctx, rows, sumi__unet_context_bytes(r));
  return r->rows_sample && r->rows_out && r->rows_timesteps && r->rows_kv ? SUMI_OK : SUMI_NO_MEMORY;
}

sumi_status sumi__unet_prepare(sumi__unet_runner *r, const sumi__unet_shape *shape) {
  sumi_status status = SUMI_OK;
  if (sumi__unet_is_prepared(r, shape)) return SUMI_OK;
  sumi__unet_runner_drop(r);
  SUMI_TRY(sketch(r, shape));
  const sumi_compile_options of_context = context_options(r), of_step = step_options(r);
  SUMI_TRY(sumi_compile(r->backend, r->context_g, r->kv_count, r->kv_out, &of_context, &r->context_program));
  SUMI_TRY(sumi_compile(r->backend, r->g, 1, &r->out, &of_step, &r->program));
  SUMI_TRY(make_rows(r));
done:
  if (status != SUMI_OK) sumi__unet_runner_drop(r);
  return status;
}

sumi_status sumi__unet_account(sumi__unet_runner *r, const sumi__unet_shape *shape, int contexts, sumi__account *out) {
  sumi_status status = SUMI_OK;
  sumi__account context;
  sumi__unet_runner_drop(r);
  SUMI_TRY(sketch(r, shape));
  const sumi_compile_options of_context = context_options(r), of_step = step_options(r);
  SUMI_TRY(sumi__compile_account(r->backend, r->context_g, r->kv_count, r->kv_out, &of_context, &context));
  SUMI_TRY(sumi__compile_account(r->backend, r->g, 1, &r->out, &of_step, out));
  out->bytes += context.bytes + (size_t)contexts * sumi__unet_context_bytes(r);
  if (at_once(r) < shape->rows) out->bytes += (size_t)shape->rows * sumi__unet_context_bytes(r);
done:
  sumi__unet_runner_drop(r);
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

/* Into a row of the program. */
static void set_context(sumi__unet_runner *r, int64_t row, const void *kv) {
  const char *from = kv;
  for (int i = 0; i < r->kv_count; from += kv_bytes(r, i++))
    memcpy((char *)sumi_data(r->program, r->kv_in[i]) + (size_t)row * kv_bytes(r, i), from, kv_bytes(r, i));
}

void sumi__unet_set_context(sumi__unet_runner *r, int64_t row, const void *kv) {
  const size_t bytes = sumi__unet_context_bytes(r);
  if (r->rows_kv)
    memcpy(r->rows_kv + (size_t)row * bytes, kv, bytes);
  else
    set_context(r, row, kv);
}

static int64_t sample_size(const sumi__unet_runner *r) {
  return r->shape.height * r->shape.width * r->engine->model->unet.in_channels;
}
static int64_t output_size(const sumi__unet_runner *r) {
  return r->shape.height * r->shape.width * r->engine->model->unet.out_channels;
}

float *sumi__unet_sample_row(sumi__unet_runner *r, int64_t row) {
  float *all = r->rows_sample ? r->rows_sample : sumi_data(r->program, r->sample);
  return all + row * sample_size(r);
}

float *sumi__unet_timesteps(sumi__unet_runner *r) {
  return r->rows_timesteps ? r->rows_timesteps : sumi_data(r->program, r->timesteps);
}

const float *sumi__unet_output_row(sumi__unet_runner *r, int64_t row) {
  const float *all = r->rows_out ? r->rows_out : sumi_data(r->program, r->out);
  return all + row * output_size(r);
}

/* Rows [first, first + at once) by the program. */
static sumi_status run_rows(sumi__unet_runner *r, int64_t first) {
  sumi_status status = SUMI_OK;
  const size_t bytes = sumi__unet_context_bytes(r);
  for (int64_t i = 0; i < at_once(r); i++) set_context(r, i, r->rows_kv + (size_t)(first + i) * bytes);
  SUMI_TRY(sumi_set(r->program, r->sample, r->rows_sample + first * sample_size(r)));
  SUMI_TRY(sumi_set(r->program, r->timesteps, r->rows_timesteps + first));
  SUMI_TRY(sumi_run(r->program));
  SUMI_TRY(sumi_get(r->program, r->out, r->rows_out + first * output_size(r)));
done:
  return status;
}

sumi_status sumi__unet_run(sumi__unet_runner *r) {
  sumi_status status = SUMI_OK;
  if (!r->rows_sample) return sumi_run(r->program);
  for (int64_t first = 0; first < r->shape.rows && status == SUMI_OK; first += at_once(r)) status = run_rows(r, first);
  return status;
}
