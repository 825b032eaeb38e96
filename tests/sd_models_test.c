/* The U-Nets, text encoders and autoencoders of Stable Diffusion against diffusers and transformers: golden values and
 * their conventions are those of tools/oracle/sd_models.py. */
#include "sd_models.h"

#include "models/vae_tiling.h"

/* What is allowed, relative by norm. In f32 PyTorch itself is within 1.4e-6 of f64. In bf16 each operand of a product
 * carries 2^-9 (and each result as much again), and some forty products follow one another. */
static const double tight = 1e-5, loose = 3e-2;

/* ---- U-Nets ---- */

static sumi__unet2d_config base(void) {
  return (sumi__unet2d_config){.in_channels = 4,
                               .out_channels = 4,
                               .sample_size = 8,
                               .levels = 2,
                               .block_out_channels = {32, 64},
                               .down_attention = {true, false},
                               .up_attention = {true, false},
                               .mid_block = true,
                               .layers_per_block = 2,
                               .num_attention_heads = {4, 4},
                               .transformer_layers_per_block = {1, 1},
                               .cross_attention_dim = 32,
                               .norm_num_groups = 16,
                               .norm_eps = 1e-5,
                               .flip_sin_to_cos = true};
}

static sumi__unet2d_config sd2(void) {
  sumi__unet2d_config c = base();
  c.num_attention_heads[0] = 2;
  c.use_linear_projection = c.upcast_attention = true;
  return c;
}

static sumi__unet2d_config xl(void) {
  sumi__unet2d_config c = sd2();
  c.down_attention[0] = c.up_attention[0] = false;
  c.down_attention[1] = c.up_attention[1] = true;
  c.layers_per_block = 1;
  c.cross_attention_dim = 24;
  return c;
}

static sumi__unet2d_config odd(void) {
  sumi__unet2d_config c = base();
  c.levels = 3;
  memcpy(c.block_out_channels, (int64_t[3]){16, 32, 32}, 3 * sizeof(int64_t));
  memcpy(c.num_attention_heads, (int64_t[3]){2, 2, 2}, 3 * sizeof(int64_t));
  c.transformer_layers_per_block[2] = 1;
  c.down_attention[1] = c.up_attention[1] = true;
  c.layers_per_block = 1;
  c.norm_num_groups = 8;
  c.cross_attention_dim = 16;
  c.flip_sin_to_cos = false;
  c.freq_shift = 1.0;
  return c;
}

enum { BATCH = 2, CONTEXT = 5, MOST_KV = 64 };

typedef struct unet_net {
  net m;
  sumi_tensor *sample, *timesteps, *context, *out;
  sumi__unet2d_extras extras;
} unet_net;

static void declare_unet(unet_net *u, const sumi__unet2d_config *c, int64_t h, int64_t w) {
  sumi_graph *g = u->m.g;
  u->sample = sumi_input(g, "sample", SUMI_F32, SUMI_SHAPE(BATCH, h, w, c->in_channels));
  u->timesteps = sumi_input(g, "timesteps", SUMI_F32, SUMI_SHAPE(BATCH));
  u->context = sumi_input(g, "context", SUMI_F32, SUMI_SHAPE(BATCH, CONTEXT, c->cross_attention_dim));
  if (c->addition_text_time) {
    u->extras.text_embeds = sumi_input(g, "text_embeds", SUMI_F32, SUMI_SHAPE(BATCH, 20));
    u->extras.time_ids = sumi_input(g, "time_ids", SUMI_F32, SUMI_SHAPE(BATCH, 6));
  }
  if (c->time_cond_proj_dim > 0)
    u->extras.timestep_cond = sumi_input(g, "timestep_cond", SUMI_F32, SUMI_SHAPE(BATCH, c->time_cond_proj_dim));
  if (c->class_embed_type == SUMI__UNET2D_CLASS_EMBEDDING)
    u->extras.class_labels = sumi_input(g, "class_labels", SUMI_I64, SUMI_SHAPE(BATCH));
  if (c->class_embed_type == SUMI__UNET2D_CLASS_TIMESTEP)
    u->extras.class_labels = sumi_input(g, "class_labels", SUMI_F32, SUMI_SHAPE(BATCH));
  if (c->class_embed_type == SUMI__UNET2D_CLASS_PROJECTION)
    u->extras.class_labels = sumi_input(g, "class_labels", SUMI_F32, SUMI_SHAPE(BATCH, 20));
}

static void set_unet(unet_net *u, const sumi__unet2d_config *c) {
  net *m = &u->m;
  set_drawn(m, u->sample, "sample");
  assert_ok(m->ctx, sumi_set(m->program, u->timesteps, (float[BATCH]){981.0f, 1.5f}));
  if (u->context) set_drawn(m, u->context, "context");
  if (c->addition_text_time) {
    set_drawn(m, u->extras.text_embeds, "text_embeds");
    assert_ok(m->ctx, sumi_set(m->program, u->extras.time_ids,
                               (float[BATCH * 6]){64, 48, 0, 4, 1024, 768, 64, 48, 0, 4, 1024, 768}));
  }
  if (c->time_cond_proj_dim > 0) set_drawn(m, u->extras.timestep_cond, "timestep_cond");
  if (c->class_embed_type == SUMI__UNET2D_CLASS_EMBEDDING)
    assert_ok(m->ctx, sumi_set(m->program, u->extras.class_labels, (int64_t[BATCH]){3, 9}));
  if (c->class_embed_type == SUMI__UNET2D_CLASS_TIMESTEP)
    assert_ok(m->ctx, sumi_set(m->program, u->extras.class_labels, (float[BATCH]){3.0f, 250.0f}));
  if (c->class_embed_type == SUMI__UNET2D_CLASS_PROJECTION) set_drawn(m, u->extras.class_labels, "class_labels");
}

static void check_unet_in(void **state, const char *name, const sumi__unet2d_config *c, int64_t h, int64_t w,
                          sumi_dtype compute, double limit) {
  unet_net u = {0};
  net_open(&u.m, state, name, compute);
  declare_unet(&u, c, h, w);
  u.out = sumi__unet2d(&u.m.nn, c, u.sample, u.timesteps, u.context, &u.extras);
  net_compile(&u.m, 1, &u.out);
  set_unet(&u, c);
  assert_ok(u.m.ctx, sumi_run(u.m.program));
  assert_output(&u.m, u.out, "out", limit);
  net_close(&u.m);
}

static void check_unet(void **state, const char *name, sumi__unet2d_config c, int64_t h, int64_t w) {
  check_unet_in(state, name, &c, h, w, SUMI_F32, tight);
  check_unet_in(state, name, &c, h, w, SUMI_BF16, loose);
}

static void unet_sd1(void **state) { check_unet(state, "unet_sd1", base(), 8, 8); }
static void unet_sd2(void **state) { check_unet(state, "unet_sd2", sd2(), 8, 8); }
static void unet_odd_sides(void **state) { check_unet(state, "unet_odd", odd(), 7, 5); }

static void unet_input_channels(void **state) {
  sumi__unet2d_config c = base();
  c.in_channels = 9;
  check_unet(state, "unet_inpaint", c, 6, 10);
  c.in_channels = 8;
  check_unet(state, "unet_edit", c, 4, 8);
  c = sd2();
  c.in_channels = 5;
  check_unet(state, "unet_depth", c, 4, 4);
}

static void unet_embeddings(void **state) {
  sumi__unet2d_config c = xl();
  c.transformer_layers_per_block[1] = 2;
  c.addition_text_time = true;
  c.addition_time_embed_dim = 8;
  c.projection_class_embeddings_input_dim = 68;
  check_unet(state, "unet_xl", c, 4, 4);
  c = xl();
  c.time_cond_proj_dim = 12;
  c.class_embed_type = SUMI__UNET2D_CLASS_TIMESTEP;
  check_unet(state, "unet_lcm", c, 4, 4);
  c = xl();
  c.in_channels = 7;
  c.class_embed_type = SUMI__UNET2D_CLASS_EMBEDDING;
  c.num_class_embeds = 10;
  c.mid_block = false;
  check_unet(state, "unet_upscale", c, 4, 4);
  c = xl();
  c.class_embed_type = SUMI__UNET2D_CLASS_PROJECTION;
  c.projection_class_embeddings_input_dim = 20;
  check_unet(state, "unet_unclip", c, 4, 4);
}

/* Gradients for what goes in: of the sum of the result times the script's signs. */
static void unet_gradients(void **state) {
  const sumi__unet2d_config c = base();
  unet_net u = {0};
  net *m = &u.m;
  net_open(m, state, "unet_sd1", SUMI_F32);
  declare_unet(&u, &c, 8, 8);
  u.out = sumi__unet2d(&m->nn, &c, u.sample, u.timesteps, u.context, NULL);
  float signs[BATCH * 8 * 8 * 4];
  draw("unet_sd1/signs", 0.0f, 1.0f, signs, BATCH * 8 * 8 * 4);
  for (int i = 0; i < BATCH * 8 * 8 * 4; i++) signs[i] = signs[i] >= 0.5f ? 1.0f : -1.0f;
  sumi_tensor *direction = sumi_constant(m->g, SUMI_F32, SUMI_SHAPE(BATCH, 8, 8, 4), signs), *grads[2];
  sumi_tensor *loss = sumi_sum_all(m->g, sumi_mul(m->g, u.out, direction));
  assert_ok(m->ctx, sumi_grad(m->g, loss, 2, (sumi_tensor *[]){u.sample, u.context}, grads));
  net_compile(m, 2, grads);
  set_unet(&u, &c);
  assert_ok(m->ctx, sumi_run(m->program));
  assert_output(m, grads[0], "grad.sample", 2.0 * tight);
  assert_output(m, grads[1], "grad.context", 2.0 * tight);
  net_close(m);
}

/* Keys and values made by one program and handed to another give the same picture. */
static void unet_context_apart(void **state) {
  const sumi__unet2d_config c = odd();
  unet_net u = {0};
  net before;
  sumi_tensor *made[MOST_KV], *taken[MOST_KV];
  const int count = 2 * sumi__unet2d_context_count(&c);
  assert_int_equal(count, 2 * (2 + 1 + 4));
  assert_int_equal(sumi__unet2d_context_width(&c, 0), 16);
  assert_int_equal(sumi__unet2d_context_width(&c, 2), 32);
  assert_int_equal(sumi__unet2d_context_width(&c, 6), 16);
  assert_int_equal(sumi__unet2d_context_width(&c, 7), 0);

  net_open(&before, state, "unet_odd", SUMI_F32);
  sumi_tensor *context = sumi_input(before.g, "context", SUMI_F32, SUMI_SHAPE(BATCH, CONTEXT, 16));
  assert_true(sumi__unet2d_context(&before.nn, &c, context, made));
  net_compile(&before, count, made);
  set_drawn(&before, context, "context");
  assert_ok(before.ctx, sumi_run(before.program));

  net_open(&u.m, state, "unet_odd", SUMI_F32);
  declare_unet(&u, &c, 7, 5);
  u.context = NULL;
  u.extras.context_kv = taken;
  for (int i = 0; i < count; i++)
    taken[i] = sumi_input(u.m.g, NULL, SUMI_F32, SUMI_SHAPE(BATCH, CONTEXT, sumi__unet2d_context_width(&c, i / 2)));
  u.out = sumi__unet2d(&u.m.nn, &c, u.sample, u.timesteps, NULL, &u.extras);
  net_compile(&u.m, 1, &u.out);
  assert_int_equal(sumi_weights_find(u.m.weights, "mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight"), -1);
  for (int i = 0; i < count; i++)
    assert_ok(u.m.ctx, sumi_set(u.m.program, taken[i], sumi_data(before.program, made[i])));
  set_unet(&u, &c);
  assert_ok(u.m.ctx, sumi_run(u.m.program));
  assert_output(&u.m, u.out, "out", tight);
  net_close(&u.m);
  net_close(&before);
}

static void unet_refusals(void **state) {
  net m;
  sumi__unet2d_config c = base();
  c.num_attention_heads[1] = 5;
  assert_int_equal(sumi__unet2d_check(*state, &c), SUMI_INVALID);
  assert_error(*state, "num_attention_heads[1]", "64");
  c = base();
  c.block_out_channels[1] = 40;
  assert_int_equal(sumi__unet2d_check(*state, &c), SUMI_INVALID);
  assert_error(*state, "block_out_channels[1]", "40");
  c = base();
  c.layers_per_block = 1000;
  assert_int_equal(sumi__unet2d_check(*state, &c), SUMI_INVALID);
  assert_error(*state, "layers_per_block", "1000");

  c = base();
  net_open(&m, state, "", SUMI_F32);
  sumi_tensor *sample = sumi_input(m.g, NULL, SUMI_F32, SUMI_SHAPE(2, 8, 8, 4));
  sumi_tensor *times = sumi_input(m.g, NULL, SUMI_F32, SUMI_SHAPE(2));
  assert_null(sumi__unet2d(&m.nn, &c, sample, times, sumi_input(m.g, NULL, SUMI_F32, SUMI_SHAPE(2, 5, 31)), NULL));
  assert_int_equal(sumi_graph_status(m.g), SUMI_SHAPE);
  assert_error(*state, "context", "[2, 5, 31]", "32");
  net_close(&m);
}

/* ---- Text encoders ---- */

static sumi__clip_text_config tiny_clip(sumi__clip_act act, int64_t eos) {
  return (sumi__clip_text_config){.vocab_size = 100,
                                  .hidden_size = 32,
                                  .intermediate_size = 64,
                                  .num_hidden_layers = 3,
                                  .num_attention_heads = 4,
                                  .max_position_embeddings = 16,
                                  .hidden_act = act,
                                  .layer_norm_eps = 1e-5,
                                  .bos_token_id = 98,
                                  .eos_token_id = eos};
}

enum { TOKENS = 16 };

/* Two texts that end at positions 6 and 15. */
static void make_ids(int32_t ids[BATCH * TOKENS], int32_t eos) {
  static const int32_t first[6] = {98, 5, 17, 60, 33, 5};
  for (int i = 0; i < TOKENS; i++) ids[i] = i < 6 ? first[i] : eos;
  ids[TOKENS] = 98;
  for (int i = 0; i < 14; i++) ids[TOKENS + 1 + i] = (7 * i) % 90 + 3;
  ids[2 * TOKENS - 1] = eos;
}

/* `given`: token embeddings come from outside, as with a textual inversion, and are looked up here. */
static void check_clip_in(void **state, const char *name, const sumi__clip_text_config *c, int skip, bool given,
                          sumi_dtype compute, double limit) {
  net m;
  char key[32];
  int32_t ids[BATCH * TOKENS], rows[BATCH];
  sumi__clip_text_outputs y;
  net_open(&m, state, name, compute);
  sumi__clip_text_inputs x = {.skip = skip, .pool_rows = sumi_input(m.g, "rows", SUMI_I32, SUMI_SHAPE(BATCH))};
  if (given)
    x.embeddings = sumi_input(m.g, "embeddings", SUMI_F32, SUMI_SHAPE(BATCH, TOKENS, c->hidden_size));
  else
    x.ids = sumi_input(m.g, "ids", SUMI_I32, SUMI_SHAPE(BATCH, TOKENS));
  assert_true(sumi__clip_text(&m.nn, c, &x, &y));
  sumi_tensor *end = c->with_projection ? y.projected : y.pooled;
  net_compile(&m, 4, (sumi_tensor *[]){y.embeddings, y.hidden, y.normed, end});
  make_ids(ids, c->eos_token_id == 2 ? 99 : (int32_t)c->eos_token_id);
  sumi__clip_text_pool_rows(c, ids, BATCH, TOKENS, rows);
  assert_int_equal(rows[0], 6);
  assert_int_equal(rows[1], TOKENS + 15);
  assert_ok(m.ctx, sumi_set(m.program, x.pool_rows, rows));
  if (given) {
    const int64_t i = sumi_weights_find(m.weights, "text_model.embeddings.token_embedding.weight");
    const float *table = sumi_weights_data(m.weights, (size_t)i);
    float *to = sumi_data(m.program, x.embeddings);
    for (int k = 0; k < BATCH * TOKENS; k++) memcpy(to + k * 32, table + ids[k] * 32, 32 * sizeof *to);
  } else {
    assert_ok(m.ctx, sumi_set(m.program, x.ids, ids));
  }
  assert_ok(m.ctx, sumi_run(m.program));
  assert_output(&m, y.embeddings, "hidden.0", limit);
  snprintf(key, sizeof key, "hidden.%d", c->num_hidden_layers - skip);
  assert_output(&m, y.hidden, key, limit);
  if (skip < 2) assert_output(&m, y.normed, skip == 0 ? "last" : "penultimate", limit);
  assert_output(&m, end, c->with_projection ? "projected" : "pooled", limit);
  net_close(&m);
}

static void check_clip(void **state, const char *name, const sumi__clip_text_config *c) {
  for (int skip = 0; skip < 3; skip++) check_clip_in(state, name, c, skip, skip == 1, SUMI_F32, tight);
  check_clip_in(state, name, c, 0, false, SUMI_BF16, loose);
}

static void clip_l(void **state) {
  const sumi__clip_text_config c = tiny_clip(SUMI__CLIP_QUICK_GELU, 99);
  check_clip(state, "clip_l", &c);
}

static void clip_h(void **state) {
  sumi__clip_text_config c = tiny_clip(SUMI__CLIP_GELU, 97);
  c.with_projection = true;
  c.projection_dim = 24;
  check_clip(state, "clip_h", &c);
}

static void clip_legacy(void **state) {
  const sumi__clip_text_config c = tiny_clip(SUMI__CLIP_QUICK_GELU, 2);
  check_clip(state, "clip_legacy", &c);
}

static void clip_without_end(void **state) {
  const sumi__clip_text_config c = tiny_clip(SUMI__CLIP_GELU, 97);
  int32_t rows[2];
  (void)state;
  sumi__clip_text_pool_rows(&c, (int32_t[6]){1, 2, 3, 4, 97, 97}, 2, 3, rows);
  assert_int_equal(rows[0], 0);
  assert_int_equal(rows[1], 4);
}

/* ---- Autoencoders ---- */

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

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(unet_sd1),
      cmocka_unit_test(unet_sd2),
      cmocka_unit_test(unet_odd_sides),
      cmocka_unit_test(unet_input_channels),
      cmocka_unit_test(unet_embeddings),
      cmocka_unit_test(unet_gradients),
      cmocka_unit_test(unet_context_apart),
      cmocka_unit_test(unet_refusals),
      cmocka_unit_test(clip_l),
      cmocka_unit_test(clip_h),
      cmocka_unit_test(clip_legacy),
      cmocka_unit_test(clip_without_end),
      cmocka_unit_test(vae_with_all),
      cmocka_unit_test(vae_without),
      cmocka_unit_test(vae_tiles),
      cmocka_unit_test(vae_logvar_bounds),
      cmocka_unit_test(vae_coder_refusals),
  };
  return cmocka_run_group_tests(tests, support_setup, support_teardown);
}
