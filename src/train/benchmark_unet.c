/* How fast a training step of a latent-diffusion U-Net is, without data or files: loss, gradients, AdamW. */
#include "sumi/train.h"

#include "models/unet2d_condition.h"
#include "tensor/profile.h"
#include "tensor/program.h"
#include "train/optimizer.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DEFAULT_SIDE = 32, DEFAULT_STEPS = 5, MAX_STEPS = 10000, MAX_SIDE = 512, MAX_BATCH = 4096, MAX_TOKENS = 77 };

typedef struct bench {
  sumi_context *ctx;
  const sumi_train_unet_options *options;
  sumi_backend *backend;
  sumi_weights *weights;
  sumi_graph *g;
  sumi_tensor *inputs[4], **outputs; /* sample, timesteps, context, target; loss, gradients */
  sumi_program *program;
  sumi__optimizer optimizer;
  const float **grads;
  double *times, *optimizer_times, *cpu_times;
} bench;

/* Class-conditional latent diffusion as R. Rombach et al. (2022) train it on ImageNet, smaller: transformers wherever
 * the map has a side of 16 or less, heads of 32 channels, and a context of one embedded class. */
static sumi__unet2d_config ldm(void) {
  return (sumi__unet2d_config){.in_channels = 3,
                               .out_channels = 3,
                               .sample_size = DEFAULT_SIDE,
                               .levels = 4,
                               .block_out_channels = {128, 256, 256, 256},
                               .down_attention = {false, true, true, true},
                               .up_attention = {false, true, true, true},
                               .mid_block = true,
                               .layers_per_block = 2,
                               .num_attention_heads = {4, 8, 8, 8},
                               .transformer_layers_per_block = {1, 1, 1, 1},
                               .cross_attention_dim = 512,
                               .norm_num_groups = 32,
                               .norm_eps = 1e-5,
                               .flip_sin_to_cos = true};
}

static int64_t or_usual(int64_t given, int64_t usual) { return given ? given : usual; }

sumi_status sumi_train_benchmark_unet_check(sumi_context *ctx, const sumi_train_unet_options *o) {
  sumi_status status = SUMI_OK;
  SUMI_CHECK(ctx, o->network == SUMI_TRAIN_UNET_SD1 || o->network == SUMI_TRAIN_UNET_LDM, SUMI_INVALID,
             "there is no network %d", (int)o->network);
  SUMI_CHECK(ctx, o->compute == SUMI_F32 || o->compute == SUMI_BF16, SUMI_INVALID,
             "compute type %s: expected f32 or bf16", sumi_dtype_name(o->compute));
  SUMI_CHECK(ctx, o->side >= 0 && o->side % 8 == 0 && o->side <= MAX_SIDE, SUMI_INVALID,
             "side is %lld: expected a multiple of 8 up to %d", (long long)o->side, (int)MAX_SIDE);
  SUMI_CHECK(ctx, o->batch >= 0 && o->batch <= MAX_BATCH, SUMI_INVALID, "batch is %lld: expected 0 to %d",
             (long long)o->batch, (int)MAX_BATCH);
  SUMI_CHECK(ctx, o->steps >= 0 && o->steps <= MAX_STEPS, SUMI_INVALID, "steps is %lld: expected 0 to %d",
             (long long)o->steps, (int)MAX_STEPS);
  SUMI_CHECK(ctx, o->shrink == 0 || o->shrink == 1 || o->shrink == 2 || o->shrink == 4 || o->shrink == 8, SUMI_INVALID,
             "widths cannot be divided by %d: expected 1, 2, 4 or 8", o->shrink);
done:
  return status;
}

/* ---- The program ---- */

static sumi_tensor *build_loss(bench *b, sumi__rng *rng) {
  const sumi_train_unet_options *o = b->options;
  const bool small = o->network == SUMI_TRAIN_UNET_LDM;
  const int64_t side = or_usual(o->side, DEFAULT_SIDE), batch = or_usual(o->batch, small ? 32 : 2);
  const int64_t shrink = or_usual(o->shrink, 1);
  sumi__unet2d_config c = small ? ldm() : sumi__unet2d_sd1();
  c.norm_num_groups /= (int)shrink;
  for (int i = 0; i < c.levels; i++) c.block_out_channels[i] /= shrink;
  const sumi_shape latents = SUMI_SHAPE(batch, side, side, c.in_channels);
  sumi__nn nn = sumi__nn_root(b->g, b->weights);
  nn.init = rng;
  nn.training = true;
  nn.recompute = o->recompute;
  b->inputs[0] = sumi_input(b->g, "sample", SUMI_F32, latents);
  b->inputs[1] = sumi_input(b->g, "timesteps", SUMI_F32, SUMI_SHAPE(batch));
  b->inputs[2] =
      sumi_input(b->g, "context", SUMI_F32, SUMI_SHAPE(batch, small ? 1 : MAX_TOKENS, c.cross_attention_dim));
  b->inputs[3] = sumi_input(b->g, "target", SUMI_F32, latents);
  return sumi_mse_loss(b->g, sumi__unet2d(&nn, &c, b->inputs[0], b->inputs[1], b->inputs[2], NULL), b->inputs[3]);
}

static sumi_status compile(bench *b) {
  sumi_status status = SUMI_OK;
  sumi_tensor **params = NULL;
  sumi__rng rng;
  sumi__rng_seed(&rng, 1);
  SUMI_TRY(sumi_graph_create(b->ctx, &b->g));
  sumi_graph_set_compute(b->g, b->options->compute);
  sumi_tensor *loss = build_loss(b, &rng);
  SUMI_TRY(sumi_graph_status(b->g));
  const size_t n = sumi_weights_count(b->weights);
  params = sumi__alloc_array(b->ctx, n, sizeof *params);
  b->outputs = sumi__alloc_array(b->ctx, n + 1, sizeof *b->outputs);
  b->grads = sumi__alloc_array(b->ctx, n, sizeof *b->grads);
  SUMI_TRY(params && b->outputs && b->grads ? SUMI_OK : SUMI_NO_MEMORY);
  for (size_t i = 0; i < n; i++) params[i] = sumi_param(b->g, b->weights, sumi_weights_name(b->weights, i));
  b->outputs[0] = loss;
  SUMI_TRY(sumi_grad(b->g, loss, (int)n, params, b->outputs + 1));
  SUMI_TRY(sumi_compile(b->backend, b->g, (int)n + 1, b->outputs, &(sumi_compile_options){.name = "train step"},
                        &b->program));
  for (size_t i = 0; i < n; i++) b->grads[i] = sumi_data(b->program, b->outputs[i + 1]);
done:
  sumi__free(b->ctx, params);
  return status;
}

/* A batch of noise: what latents show does not change how long a step takes. */
static void fill(bench *b) {
  sumi__rng rng;
  sumi__rng_seed(&rng, 2);
  for (int i = 0; i < 4; i++) {
    float *values = sumi_data(b->program, b->inputs[i]);
    const size_t count = (size_t)sumi__count(b->inputs[i]);
    if (i == 1)
      sumi__rng_uniform(&rng, 0.0f, 1000.0f, values, count);
    else
      sumi__rng_normal(&rng, values, count);
  }
}

/* ---- Measuring ---- */

static int compare(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median(double *times, int64_t n) {
  qsort(times, (size_t)n, sizeof *times, compare);
  return times[n / 2];
}

static sumi_status step(bench *b, int64_t i) {
  const double begun = sumi__now_seconds();
  const clock_t cpu_begun = clock();
  const sumi_status status = sumi_run(b->program);
  if (status != SUMI_OK) return status;
  const double computed = sumi__now_seconds();
  sumi__optimizer_step(&b->optimizer, b->grads, 1e-4, 1.0f);
  b->optimizer_times[i] = sumi__now_seconds() - computed;
  b->times[i] = sumi__now_seconds() - begun;
  b->cpu_times[i] = (double)(clock() - cpu_begun) / CLOCKS_PER_SEC;
  return SUMI_OK;
}

static sumi_status time_steps(bench *b, sumi_train_unet_result *out) {
  sumi_status status = SUMI_OK;
  const sumi_train_unet_options *o = b->options;
  const sumi_train_callbacks *c = &o->callbacks;
  const int64_t steps = or_usual(o->steps, DEFAULT_STEPS);
  const float *loss = sumi_data(b->program, b->outputs[0]);
  b->cpu_times = sumi__alloc_array(b->ctx, (size_t)steps, sizeof *b->cpu_times);
  b->times = sumi__alloc_array(b->ctx, (size_t)steps, sizeof *b->times);
  b->optimizer_times = sumi__alloc_array(b->ctx, (size_t)steps, sizeof *b->optimizer_times);
  SUMI_TRY(b->times && b->cpu_times && b->optimizer_times ? SUMI_OK : SUMI_NO_MEMORY);
  SUMI_TRY(step(b, 0));
  out->first_loss = (double)*loss;
  sumi__profile_forget(b->program);
  for (int64_t i = 0; i < steps; i++) {
    SUMI_CHECK(b->ctx, !c->should_stop || !c->should_stop(c->user), SUMI_CANCELLED, "stopped after %lld steps",
               (long long)i);
    SUMI_TRY(step(b, i));
  }
  out->last_loss = (double)*loss;
  out->step_seconds = median(b->times, steps);
  out->optimizer_seconds = median(b->optimizer_times, steps);
  out->cpu_seconds = median(b->cpu_times, steps);
done:
  return status;
}

/* The intermediate values that are alive when the loss, the program's first output, is computed. */
static size_t kept_bytes(const sumi_program *p, const sumi_tensor *loss) {
  size_t bytes = 0;
  int computed = 0;
  for (size_t i = 0; i < p->n_ports; i++)
    if (p->ports[i].theirs == loss) computed = p->buffers[sumi__root_of(p, p->ports[i].ours)->buffer].first;
  for (size_t i = 0; i < p->n_buffers; i++)
    if (p->buffers[i].first <= computed && p->buffers[i].last > computed) bytes += p->buffers[i].bytes;
  return bytes;
}

static sumi_status measure(bench *b, sumi_train_unet_result *out) {
  static const sumi__optimizer_options adamw = {.beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .weight_decay = 1e-2};
  sumi_status status = SUMI_OK;
  SUMI_TRY(sumi_backend_cpu(b->ctx, &b->backend));
  SUMI_TRY(sumi_weights_create(b->ctx, &b->weights));
  SUMI_TRY(compile(b));
  SUMI_TRY(sumi__optimizer_create(b->ctx, sumi__optimizer_find("adamw"), &adamw, b->weights, &b->optimizer));
  for (size_t i = 0; i < sumi_weights_count(b->weights); i++) {
    out->parameters += sumi_shape_count(&sumi__weights_at(b->weights, i)->shape);
    out->gradient_bytes += sumi__align_up(sumi__tensor_bytes(b->outputs[i + 1]), 64);
  }
  out->program = sumi_program_describe(b->program);
  out->kept_bytes = kept_bytes(b->program, b->outputs[0]);
  fill(b);
  SUMI_TRY(time_steps(b, out));
done:
  return status;
}

sumi_status sumi_train_benchmark_unet(sumi_context *ctx, const sumi_train_unet_options *options,
                                      sumi_train_unet_result *out) {
  static const sumi_train_unet_options defaults = {0};
  bench b = {.ctx = ctx, .options = options ? options : &defaults};
  memset(out, 0, sizeof *out);
  sumi_status status = sumi_train_benchmark_unet_check(ctx, b.options);
  if (status == SUMI_OK) status = measure(&b, out);
  sumi_program_free(b.program);
  sumi_graph_free(b.g);
  sumi__optimizer_free(&b.optimizer);
  sumi_weights_free(b.weights);
  sumi_backend_free(b.backend);
  sumi__free(ctx, b.outputs);
  sumi__free(ctx, b.grads);
  sumi__free(ctx, b.times);
  sumi__free(ctx, b.optimizer_times);
  sumi__free(ctx, b.cpu_times);
  return status;
}
