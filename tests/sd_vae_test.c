/* The autoencoder of Stable Diffusion against diffusers, at once and in tiles: golden values and
 * their conventions are those of tools/oracle/sd_models.py. */
#include "sd_models.h"

#include "models/vae_tiling.h"

/* What is allowed, relative by norm. In f32 PyTorch itself is within 8e-7 of f64. In bf16 each operand of a product
 * carries 2^-9 (and each result as much again), and some twenty products follow one another; PyTorch in bf16 is off
 * by 1.1e-2. */
static const double tight = 1e-5, loose = 2e-2;

enum { BATCH = 2 };

static sumi__autoencoder_kl_config vae_f2(void) {
  return (sumi__autoencoder_kl_config){.in_channels = 3,
                                       .out_channels = 3,
                                       .levels = 2,
                                       .block_out_channels = {16, 32},
                                       .layers_per_block = 2,
                                       .latent_channels = 4,
                                       .norm_num_groups = 8,
                                       .sample_size = 16,
                                       .scaling_factor = 0.18215,
                                       .use_quant_conv = true,
                                       .use_post_quant_conv = true,
                                       .mid_block_add_attention = true};
}

static sumi__autoencoder_kl_config vae_plain(void) {
  sumi__autoencoder_kl_config c = vae_f2();
  c.layers_per_block = 1;
  c.latent_channels = 6;
  c.use_quant_conv = c.use_post_quant_conv = c.mid_block_add_attention = false;
  return c;
}

static void check_vae_in(void **state, const char *name, const sumi__autoencoder_kl_config *c, int64_t h, int64_t w,
                         sumi_dtype compute, double limit) {
  net m;
  sumi_tensor *logvar;
  net_open(&m, state, name, compute);
  sumi_tensor *picture = sumi_input(m.g, "picture", SUMI_F32, SUMI_SHAPE(BATCH, h, w, 3));
  sumi_tensor *latent = sumi_input(m.g, "latent", SUMI_F32, SUMI_SHAPE(BATCH, h / 2, w / 2, c->latent_channels));
  sumi_tensor *mean = sumi__autoencoder_kl_encode(&m.nn, c, picture, &logvar);
  sumi_tensor *decoded = sumi__autoencoder_kl_decode(&m.nn, c, latent);
  net_compile(&m, 3, (sumi_tensor *[]){mean, logvar, decoded});
  set_drawn(&m, picture, "picture");
  set_drawn(&m, latent, "latent");
  assert_ok(m.ctx, sumi_run(m.program));
  assert_output(&m, mean, "mean", limit);
  assert_output(&m, logvar, "logvar", limit);
  assert_output(&m, decoded, "picture", limit);
  net_close(&m);
}

static void check_vae(void **state, const char *name, sumi__autoencoder_kl_config c, int64_t h, int64_t w) {
  check_vae_in(state, name, &c, h, w, SUMI_F32, tight);
  check_vae_in(state, name, &c, h, w, SUMI_BF16, loose);
}

static void vae_with_all(void **state) { check_vae(state, "vae_f2", vae_f2(), 20, 28); }
static void vae_without(void **state) { check_vae(state, "vae_plain", vae_plain(), 16, 26); }

/* The weights of both directions, for coders to find. */
static void make_vae(net *m, const sumi__autoencoder_kl_config *c) {
  sumi_tensor *picture = sumi_input(m->g, NULL, SUMI_F32, SUMI_SHAPE(1, 8, 8, 3));
  sumi_tensor *latent = sumi_input(m->g, NULL, SUMI_F32, SUMI_SHAPE(1, 4, 4, c->latent_channels));
  assert_non_null(sumi__autoencoder_kl_moments(&m->nn, c, picture));
  assert_non_null(sumi__autoencoder_kl_decode(&m->nn, c, latent));
  net_fill(m);
}

typedef struct count_steps {
  int64_t calls, total, stop_at;
} count_steps;

static bool count_step(void *user, int64_t done, int64_t total) {
  count_steps *c = user;
  assert_int_equal(done, c->calls);
  c->calls++;
  c->total = total;
  return done != c->stop_at;
}

/* At once and in tiles, both ways. The pictures' sides leave narrow tiles at the edges. */
static void check_coder(void **state, const char *name, const sumi__autoencoder_kl_config *c, int64_t h, int64_t w,
                        int64_t tiles) {
  net m;
  sumi__vae_coder *coder = NULL;
  const sumi__vae_tiling tiling = sumi__vae_tiling_defaults(c);
  const int64_t z = c->latent_channels, latents = BATCH * h * w / 4;
  const size_t pixels = (size_t)(BATCH * h * w * 3);
  assert_int_equal(tiling.tile, 8);
  net_open(&m, state, name, SUMI_F32);
  make_vae(&m, c);
  float *in = case_values(&m, "picture", pixels), *out = malloc(pixels * sizeof *out);
  float *z_in = case_values(&m, "latent", (size_t)(latents * z)),
        *z_out = malloc((size_t)(latents * 2 * z) * sizeof *out);
  float *part = malloc((size_t)(latents * z) * sizeof *part);
  assert_true(out && z_out && part);
  for (int tiled = 0; tiled < 2; tiled++) {
    count_steps steps = {.stop_at = -1};
    const sumi__vae_progress progress = {count_step, &steps};
    assert_ok(m.ctx, sumi__vae_coder_create(m.backend, &m.nn, c, SUMI__VAE_DECODE, SUMI_F32, &coder));
    assert_ok(m.ctx, sumi__vae_coder_run(coder, z_in, BATCH, h / 2, w / 2, tiled ? &tiling : NULL, &progress, out));
    assert_golden(&m, tiled ? "tiled_picture" : "picture", out, pixels, tight);
    assert_int_equal(steps.total, BATCH * (tiled ? tiles : 1));
    assert_int_equal(steps.calls, steps.total + 1);
    sumi__vae_coder_free(coder);
    assert_ok(m.ctx, sumi__vae_coder_create(m.backend, &m.nn, c, SUMI__VAE_ENCODE, SUMI_F32, &coder));
    assert_ok(m.ctx, sumi__vae_coder_run(coder, in, BATCH, h, w, tiled ? &tiling : NULL, NULL, z_out));
    for (int half = 0; half < 2; half++) {
      for (int64_t i = 0; i < latents; i++)
        memcpy(part + i * z, z_out + i * 2 * z + half * z, (size_t)z * sizeof *part);
      static const char *const keys[2][2] = {{"mean", "logvar"}, {"tiled_mean", "tiled_logvar"}};
      assert_golden(&m, keys[tiled][half], part, (size_t)(latents * z), tight);
    }
    sumi__vae_coder_free(coder);
  }
  free(in), free(out), free(z_in), free(z_out), free(part);
  net_close(&m);
}

static void vae_tiles(void **state) {
  sumi__autoencoder_kl_config c = vae_f2();
  check_coder(state, "vae_f2", &c, 20, 28, 2 * 3);
  c = vae_plain();
  check_coder(state, "vae_plain", &c, 16, 26, 2 * 3);
}

/* A coder of another context over the same weights. */
static void vae_shared_weights(void **state) {
  const sumi__autoencoder_kl_config c = vae_f2();
  net m;
  sumi_context *other = NULL;
  sumi_backend *backend = NULL;
  sumi__vae_coder *coder = NULL;
  const size_t pixels = (size_t)(BATCH * 20 * 28 * 3);
  net_open(&m, state, "vae_f2", SUMI_F32);
  make_vae(&m, &c);
  float *in = case_values(&m, "latent", (size_t)(BATCH * 10 * 14 * 4)), *out = malloc(pixels * sizeof *out);
  assert_non_null(out);
  assert_int_equal(sumi_context_create(&(sumi_context_options){.threads = 2}, &other), SUMI_OK);
  assert_ok(other, sumi_backend_cpu(other, &backend));
  assert_ok(other, sumi__vae_coder_create(backend, &m.nn, &c, SUMI__VAE_DECODE, SUMI_F32, &coder));
  assert_ok(other, sumi__vae_coder_run(coder, in, BATCH, 10, 14, NULL, NULL, out));
  assert_golden(&m, "picture", out, pixels, tight);
  sumi__vae_coder_free(coder);
  sumi_backend_free(backend);
  sumi_context_free(other);
  free(in), free(out);
  net_close(&m);
}

/* A variance beyond all bounds is brought back to them, with and without tiles. */
static void vae_logvar_bounds(void **state) {
  const sumi__autoencoder_kl_config c = vae_plain();
  net m;
  sumi__vae_coder *coder = NULL;
  sumi_tensor *logvar;
  float *in, out[6 * 6 * 12];
  net_open(&m, state, "vae_plain", SUMI_F32);
  sumi_tensor *picture = sumi_input(m.g, "picture", SUMI_F32, SUMI_SHAPE(1, 12, 12, 3));
  sumi_tensor *mean = sumi__autoencoder_kl_encode(&m.nn, &c, picture, &logvar);
  net_fill(&m);
  float *bias = sumi_weights_data(m.weights, (size_t)sumi_weights_find(m.weights, "encoder.conv_out.bias"));
  bias[5] = 1000.0f, bias[6] = 1000.0f, bias[7] = -1000.0f;
  assert_ok(m.ctx, sumi_compile(m.backend, m.g, 2, (sumi_tensor *[]){mean, logvar}, NULL, &m.program));
  in = case_values(&m, "picture", 12 * 12 * 3);
  assert_ok(m.ctx, sumi_set(m.program, picture, in));
  assert_ok(m.ctx, sumi_run(m.program));
  assert_ok(m.ctx, sumi__vae_coder_create(m.backend, &m.nn, &c, SUMI__VAE_ENCODE, SUMI_F32, &coder));
  assert_ok(m.ctx, sumi__vae_coder_run(coder, in, 1, 12, 12, &(sumi__vae_tiling){4, 0.5}, NULL, out));
  const float *whole = sumi_data(m.program, logvar), *whole_mean = sumi_data(m.program, mean);
  for (int i = 0; i < 6 * 6; i++) {
    assert_true(whole_mean[i * 6 + 5] > 900.0f && out[i * 12 + 5] > 900.0f);
    assert_true(whole[i * 6] == 20.0f && out[i * 12 + 6] == 20.0f);
    assert_true(whole[i * 6 + 1] == -30.0f && out[i * 12 + 7] == -30.0f);
  }
  free(in);
  sumi__vae_coder_free(coder);
  net_close(&m);
}

static void vae_coder_refusals(void **state) {
  const sumi__autoencoder_kl_config c = vae_f2();
  net m;
  sumi__vae_coder *coder = NULL;
  float in[10 * 10 * 4] = {0}, out[20 * 20 * 3];
  net_open(&m, state, "vae_f2", SUMI_F32);
  make_vae(&m, &c);
  assert_ok(m.ctx, sumi__vae_coder_create(m.backend, &m.nn, &c, SUMI__VAE_DECODE, SUMI_F32, &coder));
  count_steps steps = {.stop_at = 2};
  assert_int_equal(sumi__vae_coder_run(coder, in, 1, 10, 10, &(sumi__vae_tiling){8, 0.25},
                                       &(sumi__vae_progress){count_step, &steps}, out),
                   SUMI_CANCELLED);
  assert_int_equal(steps.calls, 3);
  assert_int_equal(sumi__vae_coder_run(coder, in, 1, 10, 10, &(sumi__vae_tiling){8, 1.0}, NULL, out), SUMI_INVALID);
  assert_error(m.ctx, "overlap");
  sumi__vae_coder_free(coder);
  assert_ok(m.ctx, sumi__vae_coder_create(m.backend, &m.nn, &c, SUMI__VAE_ENCODE, SUMI_F32, &coder));
  assert_int_equal(sumi__vae_coder_run(coder, in, 1, 7, 8, NULL, NULL, out), SUMI_INVALID);
  assert_error(m.ctx, "8 x 7", "multiples of 2");
  sumi__vae_coder_free(coder);
  net_close(&m);
}

#define REFUSE(member, value)                                                                                          \
  do {                                                                                                                 \
    sumi__autoencoder_kl_config c_ = full;                                                                             \
    c_.member = value;                                                                                                 \
    assert_int_equal(sumi__autoencoder_kl_check(*state, &c_), SUMI_INVALID);                                           \
    assert_error(*state, "VAE", #member, #value);                                                                      \
  } while (0)

static void vae_configs(void **state) {
  const sumi__autoencoder_kl_config full = vae_f2();
  assert_ok(*state, sumi__autoencoder_kl_check(*state, &full));
  REFUSE(in_channels, 0);
  REFUSE(out_channels, 0);
  REFUSE(latent_channels, -4);
  REFUSE(block_out_channels[1], 33);
  REFUSE(layers_per_block, 0);
  REFUSE(norm_num_groups, 0);
  REFUSE(scaling_factor, 0);
  REFUSE(shift_factor, 1e+09);
  sumi__autoencoder_kl_config c = full;
  c.levels = 9;
  assert_int_equal(sumi__autoencoder_kl_check(*state, &c), SUMI_INVALID);
  assert_error(*state, "block_out_channels", "9");
}

static int64_t vae_parameters(sumi_context *ctx, sumi__autoencoder_kl_config c) {
  sumi_graph *g = NULL;
  assert_ok(ctx, sumi_graph_create(ctx, &g));
  const sumi__nn nn = sumi__nn_root(g, NULL);
  sumi_tensor *picture = sumi_input(g, NULL, SUMI_F32, SUMI_SHAPE(1, 512, 512, 3));
  sumi_tensor *decoded = sumi__autoencoder_kl_decode(&nn, &c, sumi__autoencoder_kl_encode(&nn, &c, picture, NULL));
  assert_ok(ctx, sumi_graph_status(g));
  assert_true(sumi_shape_equal(&decoded->shape, &picture->shape));
  const int64_t count = count_parameters(g);
  sumi_graph_free(g);
  return count;
}

/* What the script counts in diffusers' model. */
static void full_size(void **state) { assert_int_equal(vae_parameters(*state, sumi__autoencoder_kl_f8()), 83653863); }

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(vae_with_all),       cmocka_unit_test(vae_without),       cmocka_unit_test(vae_tiles),
      cmocka_unit_test(vae_shared_weights), cmocka_unit_test(vae_logvar_bounds), cmocka_unit_test(vae_coder_refusals),
      cmocka_unit_test(vae_configs),        cmocka_unit_test(full_size),
  };
  return cmocka_run_group_tests(tests, support_setup, support_teardown);
}
