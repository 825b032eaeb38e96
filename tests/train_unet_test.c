/* Training of latent diffusion's U-Nets: loss and gradients against PyTorch's (tools/oracle/train_unet.py), with inner
 * values kept and computed again, and the measurement of a step. */
#include "sd_models.h"

#include "sumi/train.h"

enum { BATCH = 2, SIDE = 8, CONTEXT = 5, MOST_PARAMETERS = 640 };

/* Relative by norm. In f32 PyTorch itself is within 4e-6 of f64; bf16 has 2^-9 for each operand of a hundred products.
 */
static const double tight = 1e-4, loose = 8e-2;

static const sumi__unet2d_config tiny = {.in_channels = 4,
                                         .out_channels = 4,
                                         .sample_size = 8,
                                         .levels = 2,
                                         .block_out_channels = {8, 16},
                                         .down_attention = {true, false},
                                         .up_attention = {true, false},
                                         .mid_block = true,
                                         .layers_per_block = 1,
                                         .num_attention_heads = {2, 2},
                                         .transformer_layers_per_block = {1, 1},
                                         .cross_attention_dim = 8,
                                         .norm_num_groups = 4,
                                         .norm_eps = 1e-5,
                                         .flip_sin_to_cos = true};

typedef struct trained {
  net m;
  sumi_tensor *sample, *timesteps, *context, *target;
  sumi_tensor *outputs[1 + MOST_PARAMETERS]; /* loss, gradients */
  size_t n;                                  /* parameters */
} trained;

/* Runs one forward and backward pass over `batch` pictures of side x side. */
static void open_and_run(trained *t, sumi_context *ctx, const sumi__unet2d_config *c, int64_t batch, int64_t side,
                         sumi_dtype compute, bool recompute) {
  void *state = ctx;
  sumi_tensor *params[MOST_PARAMETERS];
  net *m = &t->m;
  net_open(m, &state, "train_unet", compute);
  m->nn.training = true;
  m->nn.recompute = recompute;
  const sumi_shape latents = SUMI_SHAPE(batch, side, side, 4);
  t->sample = sumi_input(m->g, "sample", SUMI_F32, latents);
  t->timesteps = sumi_input(m->g, "timesteps", SUMI_F32, SUMI_SHAPE(batch));
  t->context = sumi_input(m->g, "context", SUMI_F32, SUMI_SHAPE(batch, CONTEXT, c->cross_attention_dim));
  t->target = sumi_input(m->g, "target", SUMI_F32, latents);
  sumi_tensor *out = sumi__unet2d(&m->nn, c, t->sample, t->timesteps, t->context, NULL);
  t->outputs[0] = sumi_mse_loss(m->g, out, t->target);
  net_fill(m);
  t->n = sumi_weights_count(m->weights);
  assert_true(t->n <= MOST_PARAMETERS);
  for (size_t i = 0; i < t->n; i++) params[i] = sumi_param(m->g, m->weights, sumi_weights_name(m->weights, i));
  assert_ok(ctx, sumi_grad(m->g, t->outputs[0], (int)t->n, params, t->outputs + 1));
  assert_ok(ctx, sumi_compile(m->backend, m->g, (int)t->n + 1, t->outputs, NULL, &m->program));
  set_drawn(m, t->sample, "sample");
  set_drawn(m, t->context, "context");
  set_drawn(m, t->target, "target");
  float *times = sumi_data(m->program, t->timesteps);
  for (int64_t i = 0; i < batch; i++) times[i] = i % 2 ? 1.5f : 981.0f;
  assert_ok(ctx, sumi_run(m->program));
}

/* ---- Against PyTorch ---- */

/* The square of the difference to the golden value of that name, and of its own size. */
static void difference(const sumi_safetensors *file, const char *key, const sumi__weight *w, const float *values,
                       double *error, double *size) {
  const sumi_safetensors_tensor *golden = sumi_safetensors_find(file, key);
  if (!golden) fail_msg("there is no golden %s", key);
  const size_t count = (size_t)golden->count;
  float *want = malloc(count * sizeof *want), *ours = malloc(count * sizeof *ours);
  assert_true(want && ours);
  assert_int_equal(count, w ? sumi_shape_count(&w->shape) : 1);
  memcpy(want, golden->data, count * sizeof *want);
  if (w)
    sumi__weight_from_file_order(w, ours, want);
  else
    ours[0] = want[0];
  *error = *size = 0.0;
  for (size_t i = 0; i < count; i++) {
    const double d = (double)values[i] - (double)ours[i];
    *error += d * d;
    *size += (double)ours[i] * (double)ours[i];
  }
  free(want);
  free(ours);
}

/* Loss and gradients are within `limit`: each gradient of f32 by itself, those of bf16 all together. */
static void check(sumi_context *ctx, sumi_dtype compute, bool recompute, double limit) {
  trained t;
  sumi_safetensors *file = NULL;
  double error, size, errors = 0.0, sizes = 0.0, worst = 0.0;
  char key[192];
  open_and_run(&t, ctx, &tiny, BATCH, SIDE, compute, recompute);
  assert_ok(ctx, sumi_safetensors_open(ctx, SUMI_TESTS "/golden/train_unet.safetensors", &file));
  difference(file, "loss", NULL, sumi_data(t.m.program, t.outputs[0]), &error, &size);
  assert_true(sqrt(error / size) <= limit);
  assert_int_equal(t.n, 208);
  for (size_t i = 0; i < t.n; i++) {
    const sumi__weight *w = sumi__weights_at(t.m.weights, i);
    snprintf(key, sizeof key, "grad.%s", w->name);
    difference(file, key, w, sumi_data(t.m.program, t.outputs[i + 1]), &error, &size);
    errors += error;
    sizes += size;
    worst = fmax(worst, sqrt(error / size));
    if (compute == SUMI_F32 && !(error <= limit * limit * size))
      fail_msg("%s is off by %.3g, more than %.3g", key, sqrt(error / size), limit);
  }
  print_message("  %s%s: %.1e in all, %.1e at worst\n", sumi_dtype_name(compute), recompute ? ", computed again" : "",
                sqrt(errors / sizes), worst);
  assert_true(sqrt(errors / sizes) <= limit);
  sumi_safetensors_close(file);
  net_close(&t.m);
}

static void gradients(void **state) {
  check(*state, SUMI_F32, false, tight);
  check(*state, SUMI_F32, true, tight);
  check(*state, SUMI_BF16, false, loose);
  check(*state, SUMI_BF16, true, loose);
}

static void gradients_on_every_instruction_set(void **state) {
  (void)state;
  for (int isa = 0; isa <= (int)sumi__isa_detect(); isa++) {
    const sumi_context_options options = {.threads = 2, .max_isa = sumi__isa_name((sumi__isa)isa)};
    sumi_context *ctx = NULL;
    assert_int_equal(sumi_context_create(&options, &ctx), SUMI_OK);
    print_message("  %s\n", options.max_isa);
    check(ctx, SUMI_F32, false, tight);
    check(ctx, SUMI_BF16, false, loose);
    sumi_context_free(ctx);
  }
}

/* ---- Inner values computed again ---- */

/* The same loss and gradients, to the bit, with less than half of the activations alive at once. */
static void computed_again(void **state) {
  sumi__unet2d_config c = tiny;
  trained kept, again;
  c.layers_per_block = 2;
  c.down_attention[1] = c.up_attention[1] = true;
  open_and_run(&kept, *state, &c, 4, 16, SUMI_F32, false);
  open_and_run(&again, *state, &c, 4, 16, SUMI_F32, true);
  assert_int_equal(kept.n, again.n);
  for (size_t i = 0; i <= kept.n; i++)
    assert_memory_equal(sumi_data(kept.m.program, kept.outputs[i]), sumi_data(again.m.program, again.outputs[i]),
                        sumi__tensor_bytes(kept.outputs[i]));
  const sumi_program_info a = sumi_program_describe(kept.m.program), b = sumi_program_describe(again.m.program);
  print_message("  %zu KB, computed again %zu KB; %.3g and %.3g GFLOP\n", a.inner_bytes >> 10, b.inner_bytes >> 10,
                a.flops * 1e-9, b.flops * 1e-9);
  assert_true(a.inner_bytes > 0 && a.inner_bytes <= a.lower_bound_bytes);
  assert_true(b.inner_bytes * 2 <= a.inner_bytes);
  assert_true(b.flops > a.flops && b.flops < a.flops * 4.0 / 3.0);
  net_close(&kept.m);
  net_close(&again.m);
}

/* ---- The measurement ---- */

static void benchmark(void **state) {
  sumi_train_unet_options o = {.side = 8, .batch = 1, .steps = 3, .shrink = 8};
  sumi_train_unet_result kept, again;
  for (int network = 0; network < 2; network++) {
    o.network = (sumi_train_unet)network;
    o.compute = network ? SUMI_BF16 : SUMI_F32;
    o.recompute = false;
    assert_ok(*state, sumi_train_benchmark_unet(*state, &o, &kept));
    assert_true(kept.step_seconds > 0.0 && kept.optimizer_seconds < kept.step_seconds);
    assert_true(kept.last_loss < kept.first_loss);
    assert_true(kept.parameters * 4 <= (int64_t)kept.gradient_bytes);
    o.recompute = true;
    assert_ok(*state, sumi_train_benchmark_unet(*state, &o, &again));
    assert_true(again.program.arena_bytes < kept.program.arena_bytes);
    assert_true(kept.kept_bytes <= kept.program.inner_bytes && again.kept_bytes <= again.program.inner_bytes);
    assert_true(again.program.inner_bytes * 2 <= kept.program.inner_bytes);
    assert_true(again.program.flops > kept.program.flops);
    assert_true(kept.kept_bytes <= kept.program.arena_bytes && again.kept_bytes * 2 <= kept.kept_bytes);
  }
  o.side = 12;
  assert_int_equal(sumi_train_benchmark_unet(*state, &o, &kept), SUMI_INVALID);
  assert_error(*state, "side", "12");
  o.side = 0;
  o.shrink = 3;
  assert_int_equal(sumi_train_benchmark_unet(*state, &o, &kept), SUMI_INVALID);
  assert_error(*state, "widths", "3");
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(gradients), cmocka_unit_test(gradients_on_every_instruction_set),
                                     cmocka_unit_test(computed_again), cmocka_unit_test(benchmark)};
  return cmocka_run_group_tests(tests, support_setup, support_teardown);
}
