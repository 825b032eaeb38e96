/* The U-Nets of Stable Diffusion against diffusers: golden values and
 * their conventions are those of tools/oracle/sd_models.py. */
#include "sd_models.h"

/* What is allowed, relative by norm. In f32 PyTorch itself is within 1.4e-6 of f64. In bf16 each operand of a product
 * carries 2^-9 (and each result as much again), and some forty products follow one another; PyTorch in bf16 is off by
 * 4e-2 to 8e-2. */
static const double tight = 1e-5, loose = 3e-2;

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

/* The same on every instruction set that the processor has, with two threads. */
static void unet_every_instruction_set(void **state) {
  const sumi__unet2d_config c = sd2();
  (void)state;
  for (int isa = 0; isa <= (int)sumi__isa_detect(); isa++) {
    const sumi_context_options options = {.threads = 2, .max_isa = sumi__isa_name((sumi__isa)isa)};
    sumi_context *ctx = NULL;
    assert_int_equal(sumi_context_create(&options, &ctx), SUMI_OK);
    print_message("  %s\n", options.max_isa);
    void *other = ctx;
    check_unet_in(&other, "unet_sd2", &c, 8, 8, SUMI_F32, tight);
    check_unet_in(&other, "unet_sd2", &c, 8, 8, SUMI_BF16, loose);
    sumi_context_free(ctx);
  }
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

/* Each member that is out of range is named, with what it was. */
static void assert_refused(sumi_context *ctx, sumi__unet2d_config c, const char *member, const char *value) {
  assert_int_equal(sumi__unet2d_check(ctx, &c), SUMI_INVALID);
  assert_error(ctx, "U-Net", member, value);
}

#define REFUSE(member, value)                                                                                          \
  do {                                                                                                                 \
    sumi__unet2d_config c_ = full;                                                                                     \
    c_.member = value;                                                                                                 \
    assert_refused(*state, c_, #member, #value);                                                                       \
  } while (0)

static void unet_configs(void **state) {
  sumi__unet2d_config full = xl();
  full.addition_text_time = true;
  full.addition_time_embed_dim = 8;
  full.projection_class_embeddings_input_dim = 68;
  full.class_embed_type = SUMI__UNET2D_CLASS_EMBEDDING;
  full.num_class_embeds = 10;
  assert_ok(*state, sumi__unet2d_check(*state, &full));
  REFUSE(in_channels, 0);
  REFUSE(out_channels, -1);
  REFUSE(block_out_channels[1], 40);
  REFUSE(block_out_channels[0], 0);
  REFUSE(layers_per_block, 1000);
  REFUSE(num_attention_heads[1], 5);
  REFUSE(cross_attention_dim, 0);
  REFUSE(norm_num_groups, 0);
  REFUSE(norm_eps, 0);
  REFUSE(norm_eps, 2);
  REFUSE(freq_shift, 2);
  REFUSE(time_cond_proj_dim, -3);
  REFUSE(num_class_embeds, 0);
  REFUSE(addition_time_embed_dim, 7);
  REFUSE(addition_time_embed_dim, 2);
  REFUSE(projection_class_embeddings_input_dim, 0);
  full.levels = 9;
  assert_refused(*state, full, "block_out_channels", "9");
  full.levels = 2;
  full.transformer_layers_per_block[1] = 99;
  assert_refused(*state, full, "transformer_layers_per_block", "99");
  full = base();
  full.norm_num_groups = 3;
  full.block_out_channels[0] = 33;
  full.block_out_channels[1] = 66;
  full.num_attention_heads[0] = full.num_attention_heads[1] = 3;
  assert_refused(*state, full, "block_out_channels[0]", "33"); /* of which no half is for cosines */
}

typedef struct wrong_input {
  sumi_shape sample, timesteps, context;
  const char *says;
} wrong_input;

static void unet_inputs(void **state) {
  const sumi__unet2d_config c = base();
  const wrong_input wrong[] = {
      {SUMI_SHAPE(2, 8, 8, 4), SUMI_SHAPE(2), SUMI_SHAPE(2, 5, 31), "context is [2, 5, 31]"},
      {SUMI_SHAPE(2, 8, 8, 4), SUMI_SHAPE(2), SUMI_SHAPE(1, 5, 32), "context is [1, 5, 32]"},
      {SUMI_SHAPE(2, 8, 8, 4), SUMI_SHAPE(1), SUMI_SHAPE(2, 5, 32), "timesteps are f32 [1]"},
      {SUMI_SHAPE(2, 8, 8, 9), SUMI_SHAPE(2), SUMI_SHAPE(2, 5, 32), "sample is [2, 8, 8, 9]"},
      {SUMI_SHAPE(8, 8, 4), SUMI_SHAPE(2), SUMI_SHAPE(2, 5, 32), "sample is [8, 8, 4]"},
      {SUMI_SHAPE(2, 8, 8, 4), SUMI_SHAPE(2), SUMI_SCALAR, "neither a context"},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    net m;
    net_open(&m, state, "", SUMI_F32);
    sumi_tensor *sample = sumi_input(m.g, NULL, SUMI_F32, wrong[i].sample);
    sumi_tensor *times = sumi_input(m.g, NULL, SUMI_F32, wrong[i].timesteps);
    sumi_tensor *context = wrong[i].context.rank > 0 ? sumi_input(m.g, NULL, SUMI_F32, wrong[i].context) : NULL;
    assert_null(sumi__unet2d(&m.nn, &c, sample, times, context, NULL));
    assert_int_not_equal(sumi_graph_status(m.g), SUMI_OK);
    assert_error(m.ctx, wrong[i].says);
    net_close(&m);
  }
}

/* Models that want more than a time and a text say so. */
static void unet_missing_extras(void **state) {
  static const char *const says[] = {"text_embeds", "class_labels are missing", "timestep_cond is missing"};
  for (int i = 0; i < 3; i++) {
    net m;
    sumi__unet2d_config c = base();
    c.addition_text_time = i == 0;
    c.addition_time_embed_dim = 8;
    c.projection_class_embeddings_input_dim = 68;
    if (i == 1) c.class_embed_type = SUMI__UNET2D_CLASS_TIMESTEP;
    if (i == 2) c.time_cond_proj_dim = 12;
    net_open(&m, state, "", SUMI_F32);
    sumi_tensor *sample = sumi_input(m.g, NULL, SUMI_F32, SUMI_SHAPE(2, 8, 8, 4));
    sumi_tensor *times = sumi_input(m.g, NULL, SUMI_F32, SUMI_SHAPE(2));
    sumi_tensor *context = sumi_input(m.g, NULL, SUMI_F32, SUMI_SHAPE(2, 5, 32));
    assert_null(sumi__unet2d(&m.nn, &c, sample, times, context, NULL));
    assert_int_not_equal(sumi_graph_status(m.g), SUMI_OK);
    assert_error(m.ctx, says[i]);
    net_close(&m);
  }
}

static int64_t unet_parameters(sumi_context *ctx, sumi__unet2d_config c) {
  sumi_graph *g = NULL;
  sumi__unet2d_extras extras = {0};
  assert_ok(ctx, sumi_graph_create(ctx, &g));
  const sumi__nn nn = sumi__nn_root(g, NULL);
  const int64_t side = c.sample_size;
  sumi_tensor *sample = sumi_input(g, NULL, SUMI_F32, SUMI_SHAPE(2, side, side, c.in_channels));
  sumi_tensor *times = sumi_input(g, NULL, SUMI_F32, SUMI_SHAPE(2));
  sumi_tensor *context = sumi_input(g, NULL, SUMI_F32, SUMI_SHAPE(2, 77, c.cross_attention_dim));
  extras.text_embeds = sumi_input(g, NULL, SUMI_F32, SUMI_SHAPE(2, 1280));
  extras.time_ids = sumi_input(g, NULL, SUMI_F32, SUMI_SHAPE(2, 6));
  const sumi_tensor *y = sumi__unet2d(&nn, &c, sample, times, context, &extras);
  assert_ok(ctx, sumi_graph_status(g));
  const sumi_shape expected = SUMI_SHAPE(2, side, side, c.out_channels);
  assert_true(sumi_shape_equal(&y->shape, &expected));
  const int64_t count = count_parameters(g);
  sumi_graph_free(g);
  return count;
}

/* What the script counts in diffusers' models. */
static void full_size(void **state) {
  assert_int_equal(unet_parameters(*state, sumi__unet2d_sd1()), 859520964);
  assert_int_equal(unet_parameters(*state, sumi__unet2d_sd2()), 865910724);
  assert_int_equal(unet_parameters(*state, sumi__unet2d_sdxl()), 2567463684);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(unet_sd1),
      cmocka_unit_test(unet_sd2),
      cmocka_unit_test(unet_odd_sides),
      cmocka_unit_test(unet_input_channels),
      cmocka_unit_test(unet_embeddings),
      cmocka_unit_test(unet_every_instruction_set),
      cmocka_unit_test(unet_gradients),
      cmocka_unit_test(unet_context_apart),
      cmocka_unit_test(unet_configs),
      cmocka_unit_test(unet_inputs),
      cmocka_unit_test(unet_missing_extras),
      cmocka_unit_test(full_size),
  };
  return cmocka_run_group_tests(tests, support_setup, support_teardown);
}
