/* The text encoders of Stable Diffusion against transformers: golden values and
 * their conventions are those of tools/oracle/sd_models.py. */
#include "sd_models.h"

/* What is allowed, relative by norm. In f32 PyTorch itself is within 4e-7 of f64. In bf16 each operand of a product
 * carries 2^-9 (and each result as much again), and some twenty products follow one another; PyTorch in bf16 is off by
 * about as much. */
static const double tight = 1e-5, loose = 1.5e-2;

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

enum { BATCH = 2, TOKENS = 16 };

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
    assert_ok(m.ctx, sumi__clip_text_lookup(m.ctx, &m.nn, c, ids, BATCH * TOKENS, sumi_data(m.program, x.embeddings)));
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

/* Rows of a table that stays in its file as f16, at an odd address. */
static void clip_lookup(void **state) {
  enum { ROWS = 3, WIDTH = 300 };
  static unsigned char file[1 + 2 * ROWS * WIDTH];
  static float rows[2 * WIDTH];
  net m;
  const sumi__clip_text_config c = {.vocab_size = ROWS, .hidden_size = WIDTH};
  for (int i = 0; i < ROWS * WIDTH; i++) {
    const uint16_t half = sumi__f32_to_f16((float)i * 0.5f);
    memcpy(file + 1 + 2 * i, &half, sizeof half);
  }
  net_open(&m, state, "", SUMI_F32);
  assert_int_equal(sumi__clip_text_lookup(m.ctx, &m.nn, &c, (int32_t[1]){0}, 1, rows), SUMI_NOT_FOUND);
  assert_ok(m.ctx, sumi__weights_lend(m.weights, "text_model.embeddings.token_embedding.weight", SUMI_F16, file + 1,
                                      false, SUMI_SHAPE(ROWS, WIDTH), SUMI__LAYOUT_PLAIN));
  assert_ok(m.ctx, sumi__clip_text_lookup(m.ctx, &m.nn, &c, (int32_t[2]){2, 0}, 2, rows));
  for (int i = 0; i < WIDTH; i++) {
    assert_true(rows[i] == (float)(2 * WIDTH + i) * 0.5f);
    assert_true(rows[WIDTH + i] == (float)i * 0.5f);
  }
  assert_int_equal(sumi__clip_text_lookup(m.ctx, &m.nn, &c, (int32_t[2]){0, ROWS}, 2, rows), SUMI_INVALID);
  assert_error(m.ctx, "token 1", "id 3", "0 to 2");
  net_close(&m);
}

#define REFUSE(member, value)                                                                                          \
  do {                                                                                                                 \
    sumi__clip_text_config c_ = full;                                                                                  \
    c_.member = value;                                                                                                 \
    assert_int_equal(sumi__clip_text_check(*state, &c_), SUMI_INVALID);                                                \
    assert_error(*state, "CLIP text", #member, #value);                                                                \
  } while (0)

static void clip_configs(void **state) {
  sumi__clip_text_config full = tiny_clip(SUMI__CLIP_GELU, 97);
  full.with_projection = true;
  full.projection_dim = 24;
  assert_ok(*state, sumi__clip_text_check(*state, &full));
  REFUSE(vocab_size, 0);
  REFUSE(hidden_size, -1);
  REFUSE(intermediate_size, 0);
  REFUSE(num_hidden_layers, 1000);
  REFUSE(num_attention_heads, 5);
  REFUSE(num_attention_heads, 0);
  REFUSE(max_position_embeddings, 0);
  REFUSE(hidden_act, 2);
  REFUSE(layer_norm_eps, 0);
  REFUSE(projection_dim, 0);
  sumi__clip_act act;
  assert_true(sumi__clip_act_find("gelu", &act) && act == SUMI__CLIP_GELU);
  assert_true(sumi__clip_act_find("quick_gelu", &act) && act == SUMI__CLIP_QUICK_GELU);
  assert_false(sumi__clip_act_find("relu", &act));
}

static void clip_inputs(void **state) {
  const sumi__clip_text_config c = tiny_clip(SUMI__CLIP_GELU, 97);
  static const char *const says[] = {"ids are [2, 17]", "embeddings are [2, 16, 31]", "3 layers are to be skipped"};
  for (int i = 0; i < 3; i++) {
    net m;
    sumi__clip_text_outputs y;
    net_open(&m, state, "", SUMI_F32);
    sumi__clip_text_inputs x = {.ids = sumi_input(m.g, NULL, SUMI_I32, SUMI_SHAPE(2, i == 0 ? 17 : 16))};
    if (i == 1) x.embeddings = sumi_input(m.g, NULL, SUMI_F32, SUMI_SHAPE(2, 16, 31));
    if (i == 2) x.skip = 3;
    assert_false(sumi__clip_text(&m.nn, &c, &x, &y));
    assert_null(y.hidden);
    assert_int_not_equal(sumi_graph_status(m.g), SUMI_OK);
    assert_error(m.ctx, says[i]);
    net_close(&m);
  }
}

static int64_t clip_parameters(sumi_context *ctx, sumi__clip_text_config c) {
  sumi_graph *g = NULL;
  sumi__clip_text_outputs y;
  assert_ok(ctx, sumi_graph_create(ctx, &g));
  const sumi__nn nn = sumi__nn_root(g, NULL);
  const sumi__clip_text_inputs x = {.ids = sumi_input(g, NULL, SUMI_I32, SUMI_SHAPE(2, 77)), .skip = 1};
  assert_true(sumi__clip_text(&nn, &c, &x, &y));
  const int64_t count = count_parameters(g);
  sumi_graph_free(g);
  return count;
}

/* What the script counts in transformers' models. */
static void full_size(void **state) {
  assert_int_equal(clip_parameters(*state, sumi__clip_text_vit_l()), 123060480);
  assert_int_equal(clip_parameters(*state, sumi__clip_text_vit_h()), 340387840);
  assert_int_equal(clip_parameters(*state, sumi__clip_text_big_g()), 694659840);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(clip_l),           cmocka_unit_test(clip_h),      cmocka_unit_test(clip_legacy),
      cmocka_unit_test(clip_without_end), cmocka_unit_test(clip_lookup), cmocka_unit_test(clip_configs),
      cmocka_unit_test(clip_inputs),      cmocka_unit_test(full_size),
  };
  return cmocka_run_group_tests(tests, support_setup, support_teardown);
}
