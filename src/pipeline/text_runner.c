#include "pipeline/engine.h"

void sumi__text_runner_drop(sumi__text_runner *r) {
  sumi_program_free(r->program);
  sumi_graph_free(r->g);
  r->program = NULL;
  r->g = NULL;
}

static sumi_status sketch(sumi__text_runner *r, int64_t rows, int clip_skip, sumi_dtype compute) {
  sumi_status status = SUMI_OK;
  const sumi__clip_text_config *config = &r->engine->model->text;
  SUMI_CHECK(r->ctx, clip_skip >= 1 && clip_skip <= config->num_hidden_layers, SUMI_INVALID,
             "clip_skip is %d, expected 1 to %d, the text encoder's layers", clip_skip, config->num_hidden_layers);
  SUMI_TRY(sumi_graph_create(r->ctx, &r->g));
  sumi_graph_set_compute(r->g, compute);
  r->tokens = sumi_input(r->g, "tokens", SUMI_F32, SUMI_SHAPE(rows, SUMI_CHUNK_TOKENS, config->hidden_size));
  const sumi__clip_text_inputs in = {.embeddings = r->tokens, .skip = clip_skip - 1};
  const sumi__nn nn = sumi__nn_root(r->g, r->engine->text);
  sumi__clip_text(&nn, config, &in, &r->out);
  SUMI_TRY(sumi_graph_status(r->g));
done:
  return status;
}

static sumi_compile_options options_of(const sumi__text_runner *r) {
  return (sumi_compile_options){.frozen = true, .max_weight_bytes = r->thrift.max_weight_bytes, .name = "text encoder"};
}

bool sumi__text_is_prepared(const sumi__text_runner *r, int64_t rows, int clip_skip, sumi_dtype compute) {
  return r->program && r->rows == rows && r->clip_skip == clip_skip && r->compute == compute;
}

sumi_status sumi__text_prepare(sumi__text_runner *r, int64_t rows, int clip_skip, sumi_dtype compute) {
  sumi_status status = SUMI_OK;
  if (sumi__text_is_prepared(r, rows, clip_skip, compute)) return SUMI_OK;
  sumi__text_runner_drop(r);
  SUMI_TRY(sketch(r, rows, clip_skip, compute));
  sumi_tensor *const outputs[] = {r->out.embeddings, r->out.normed};
  const sumi_compile_options how = options_of(r);
  SUMI_TRY(sumi_compile(r->backend, r->g, 2, outputs, &how, &r->program));
  r->rows = rows;
  r->clip_skip = clip_skip;
  r->compute = compute;
done:
  if (status != SUMI_OK) sumi__text_runner_drop(r);
  return status;
}

sumi_status sumi__text_account(sumi__text_runner *r, int64_t rows, int clip_skip, sumi_dtype compute,
                               sumi__account *out) {
  sumi_status status = SUMI_OK;
  sumi__text_runner_drop(r);
  SUMI_TRY(sketch(r, rows, clip_skip, compute));
  sumi_tensor *const outputs[] = {r->out.embeddings, r->out.normed};
  const sumi_compile_options how = options_of(r);
  SUMI_TRY(sumi__compile_account(r->backend, r->g, 2, outputs, &how, out));
done:
  sumi__text_runner_drop(r);
  return status;
}

sumi_status sumi__text_run(sumi__text_runner *r, const int32_t *ids, int64_t rows, int clip_skip, sumi_dtype compute,
                           const float **token, const float **position, const float **output) {
  sumi_status status = SUMI_OK;
  const sumi__nn nn = sumi__nn_root(NULL, r->engine->text);
  SUMI_TRY(sumi__text_prepare(r, rows, clip_skip, compute));
  float *tokens = sumi_data(r->program, r->tokens);
  SUMI_TRY(sumi__clip_text_lookup(r->ctx, &nn, &r->engine->model->text, ids, rows * SUMI_CHUNK_TOKENS, tokens));
  SUMI_TRY(sumi_run(r->program));
  if (token) *token = tokens;
  if (position) *position = sumi_data(r->program, r->out.embeddings);
  if (output) *output = sumi_data(r->program, r->out.normed);
done:
  return status;
}
