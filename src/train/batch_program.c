#include "train/batch_program.h"

#include <stdio.h>
#include <string.h>

/* The task's graph for `rows`. */
typedef struct build {
  sumi_graph *g;
  sumi__task_inputs in;
  sumi__task_outputs out;
  size_t n_params;
  sumi_tensor **outputs; /* loss, [logits], gradients */
  int n_outputs, first_grad;
} build;

static sumi_status build_graph(build *b, const sumi_train_config *config, const sumi__dataset *set, int64_t rows,
                               sumi__nn *nn) {
  sumi_status status = SUMI_OK;
  const sumi__task *task = config->task;
  SUMI_TRY(sumi_graph_create(config->ctx, &b->g));
  sumi_graph_set_compute(b->g, config->values.train.compute ? SUMI_BF16 : SUMI_F32);
  b->in.images = sumi_input(b->g, "images", SUMI_F32, SUMI_SHAPE(rows, set->height, set->width, set->channels));
  b->in.labels = sumi_input(b->g, "labels", SUMI_I32, SUMI_SHAPE(rows));
  b->in.random = sumi_input(b->g, "random", SUMI_I64, SUMI_SHAPE(2));
  nn->g = b->g;
  nn->random = b->in.random;
  task->build(config, nn, &b->in, &b->out);
  SUMI_TRY(sumi_graph_status(b->g));
done:
  return status;
}

sumi_status sumi__declare_weights(const sumi_train_config *config, const sumi__dataset *set, sumi_weights *weights,
                                  sumi__rng *init) {
  build b = {0};
  sumi__nn nn = sumi__nn_root(NULL, weights);
  nn.init = init;
  const sumi_status status = build_graph(&b, config, set, 1, &nn);
  sumi_graph_free(b.g);
  return status;
}

/* Adds the gradients of the loss and lists what the program has to give. */
static sumi_status list_outputs(build *b, sumi_weights *weights, bool gradients) {
  sumi_status status = SUMI_OK;
  sumi_context *ctx = sumi__weights_context(weights);
  const size_t n = sumi_weights_count(weights);
  sumi_tensor **params = sumi__alloc_array(ctx, n, sizeof *params);
  b->outputs = sumi__alloc_array(ctx, n + 2, sizeof *b->outputs);
  SUMI_TRY(params && b->outputs ? SUMI_OK : SUMI_NO_MEMORY);
  b->outputs[b->n_outputs++] = b->out.loss;
  if (b->out.logits) b->outputs[b->n_outputs++] = b->out.logits;
  b->first_grad = b->n_outputs;
  for (size_t i = 0; i < n && gradients; i++) {
    const sumi__weight *w = sumi__weights_at(weights, i);
    if (w->trainable) params[b->n_params++] = sumi_param(b->g, weights, w->name);
  }
  if (gradients) SUMI_TRY(sumi_grad(b->g, b->out.loss, (int)b->n_params, params, b->outputs + b->first_grad));
  b->n_outputs += (int)b->n_params;
done:
  sumi__free(ctx, params);
  return status;
}

/* Finds the program's memory, after which the graph is not needed any more. */
static sumi_status resolve(sumi_context *ctx, sumi__batch_program *p, const build *b) {
  p->images = sumi_data(p->program, b->in.images);
  p->labels = sumi_data(p->program, b->in.labels);
  p->random = sumi_data(p->program, b->in.random);
  p->loss = sumi_data(p->program, b->out.loss);
  p->logits = b->out.logits ? sumi_data(p->program, b->out.logits) : NULL;
  p->classes = b->out.logits ? sumi_tensor_shape(b->out.logits).dims[1] : 0;
  if (b->n_params == 0) return SUMI_OK;
  p->grads = sumi__alloc_array(ctx, b->n_params, sizeof *p->grads);
  if (!p->grads) return SUMI_NO_MEMORY;
  for (size_t i = 0; i < b->n_params; i++) p->grads[i] = sumi_data(p->program, b->outputs[b->first_grad + (int)i]);
  return SUMI_OK;
}

static void report(const sumi__batch_programs *ps, const sumi__batch_program *p) {
  if (!ps->line) return;
  char text[256];
  const sumi_program_info info = sumi_program_describe(p->program);
  const double bound = info.lower_bound_bytes ? (double)info.lower_bound_bytes : 1.0;
  snprintf(text, sizeof text,
           "program for %lld pictures, %s: %d kernels, %.3g GFLOP; arena %.1f MB, %.3f of the lower bound, "
           "workspace %.1f MB",
           (long long)p->rows, ps->config->values.train.compute ? "bf16" : "f32", info.steps, info.flops * 1e-9,
           (double)info.arena_bytes * 1e-6, (double)info.arena_bytes / bound, (double)info.scratch_bytes * 1e-6);
  ps->line(ps->line_user, text);
}

static sumi_status make(const sumi__batch_programs *ps, int64_t rows, sumi__batch_program *p) {
  sumi_status status = SUMI_OK;
  build b = {0};
  sumi__nn nn = sumi__nn_root(NULL, ps->weights);
  nn.training = ps->gradients;
  p->rows = rows;
  p->image_size = ps->set->height * ps->set->width * ps->set->channels;
  SUMI_TRY(build_graph(&b, ps->config, ps->set, rows, &nn));
  SUMI_TRY(list_outputs(&b, ps->weights, ps->gradients));
  SUMI_TRY(sumi_compile(ps->backend, b.g, b.n_outputs, b.outputs, &(sumi_compile_options){.name = "train step"},
                        &p->program));
  SUMI_TRY(resolve(ps->ctx, p, &b));
done:
  sumi__free(ps->ctx, b.outputs);
  sumi_graph_free(b.g);
  return status;
}

static void free_program(sumi_context *ctx, sumi__batch_program *p) {
  sumi_program_free(p->program);
  sumi__free(ctx, p->grads);
  memset(p, 0, sizeof *p);
}

sumi_status sumi__batch_programs_get(sumi__batch_programs *ps, int64_t rows, sumi__batch_program **out) {
  for (size_t i = 0; i < ps->count; i++)
    if (ps->items[i].rows == rows) {
      *out = &ps->items[i];
      return SUMI_OK;
    }
  if (ps->count == SUMI__MAX_BATCH_PROGRAMS) free_program(ps->ctx, &ps->items[--ps->count]);
  sumi__batch_program *p = &ps->items[ps->count];
  const sumi_status status = make(ps, rows, p);
  if (status != SUMI_OK) {
    free_program(ps->ctx, p);
    return status;
  }
  ps->count++;
  report(ps, p);
  *out = p;
  return SUMI_OK;
}

void sumi__batch_programs_free(sumi__batch_programs *ps) {
  for (size_t i = 0; i < ps->count; i++) free_program(ps->ctx, &ps->items[i]);
  ps->count = 0;
}

sumi_status sumi__batch_program_run(sumi__batch_program *p, const sumi__batch *batch, int64_t begin, uint64_t seed,
                                    int64_t counter) {
  const size_t image_bytes = (size_t)(p->rows * p->image_size) * sizeof *p->images;
  if (p->images) memcpy(p->images, batch->pixels + begin * p->image_size, image_bytes);
  if (p->labels) memcpy(p->labels, batch->labels + begin, (size_t)p->rows * sizeof *p->labels);
  if (p->random) p->random[0] = (int64_t)seed, p->random[1] = counter;
  return sumi_run(p->program);
}

int64_t sumi__batch_program_correct(const sumi__batch_program *p, const int32_t *labels) {
  int64_t correct = 0;
  for (int64_t row = 0; row < p->rows; row++) {
    const float *logits = p->logits + row * p->classes;
    int64_t best = 0;
    for (int64_t c = 1; c < p->classes; c++)
      if (logits[c] > logits[best]) best = c;
    correct += best == labels[row];
  }
  return correct;
}
