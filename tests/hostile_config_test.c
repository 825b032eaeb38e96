/* Folders in diffusers' layout whose configurations were made by somebody who wishes no good: each value that makes no
 * network, or one that nobody has the memory for, ends in one line that names the file and the member. The weights are
 * those of the tiny Stable Diffusion 1.x in tests/golden/sd. */
#include "support.h"

#include "io/safetensors.h"
#include "models/families/family.h"

#include <time.h>

static const char *const weights[] = {"unet/diffusion_pytorch_model.safetensors",
                                      "vae/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors"};
static const char *const configs[] = {"unet/config.json", "vae/config.json", "text_encoder/config.json",
                                      "scheduler/scheduler_config.json"};

static const char *golden(const char *name) {
  static char path[4096];
  snprintf(path, sizeof path, "%s/golden/sd/sd1/%s", SUMI_TESTS, name);
  return path;
}

/* Behind a value that begins at `at`. */
static const char *skip_value(const char *at) {
  int depth = 0;
  for (; *at; at++) {
    if (depth == 0 && (*at == ',' || *at == '\n')) break;
    depth += *at == '[' || *at == '{';
    depth -= *at == ']' || *at == '}';
  }
  return at;
}

/* The golden configuration with one member changed, or added at the beginning. */
static void write_changed(const char *name, const char *key, const char *value) {
  char *text = read_plain(golden(name), NULL), path[256], quoted[128];
  snprintf(path, sizeof path, "hostile/%s", name);
  snprintf(quoted, sizeof quoted, "\"%s\":", key ? key : "");
  const char *at = key ? strstr(text, quoted) : NULL;
  FILE *f = fopen(path, "wb");
  assert_non_null(f);
  if (!key)
    fputs(text, f);
  else if (at)
    fprintf(f, "%.*s%s %s%s", (int)(at - text), text, quoted, value, skip_value(at + strlen(quoted)));
  else
    fprintf(f, "{%s %s,%s", quoted, value, strchr(text, '{') + 1);
  assert_int_equal(fclose(f), 0);
  free(text);
}

/* A folder "hostile": the weights are links, the configurations copies. */
static int make_folder(void **state) {
  static const char *const parts[] = {"", "/unet", "/vae", "/text_encoder", "/scheduler"};
  char path[256];
  if (support_setup(state) != 0) return -1;
  for (int i = 0; i < 5; i++) {
    snprintf(path, sizeof path, "hostile%s", parts[i]);
    if (mkdir(path, 0777) != 0) return -1;
  }
  for (int i = 0; i < 3; i++) {
    snprintf(path, sizeof path, "hostile/%s", weights[i]);
    if (symlink(golden(weights[i]), path) != 0) return -1;
  }
  for (int i = 0; i < 4; i++) write_changed(configs[i], NULL, NULL);
  return symlink(golden("tokenizer"), "hostile/tokenizer");
}

/* Opens the folder and draws a small picture. */
static sumi_status draw(sumi_context *ctx) {
  static float picture[3 * 16 * 16];
  sumi_engine *engine = NULL;
  sumi_session *session = NULL;
  const sumi_generation job = {.prompt = "x", .width = 16, .height = 16, .steps = 2};
  sumi_status status = sumi_engine_open(ctx, "hostile", NULL, &engine);
  if (status == SUMI_OK) status = sumi_session_create(engine, ctx, &session);
  if (status == SUMI_OK) status = sumi_session_generate(session, &job, picture, NULL);
  sumi_session_free(session);
  sumi_engine_close(engine);
  return status;
}

enum { UNET, VAE, TEXT, SCHEDULER };

typedef struct hostile {
  int config;
  const char *key, *value;
  const char *says; /* beside the file's name; NULL: the member's name */
} hostile;

static const hostile cases[] = {
    /* Pictures have three channels in all that follows the autoencoder. */
    {VAE, "in_channels", "1", "`in_channels` is 1, expected 3"},
    {VAE, "in_channels", "4", "`in_channels` is 4, expected 3"},
    {VAE, "out_channels", "1", "`out_channels` is 1, expected 3"},
    {VAE, "out_channels", "4", "`out_channels` is 4, expected 3"},
    {VAE, "out_channels", "4096", "`out_channels` is 4096, expected 3"},
    {VAE, "latent_channels", "4096", "`latent_channels` is 4096, expected 1 to 64"},
    {VAE, "latent_channels", "0", NULL},
    {VAE, "latent_channels", "-4", NULL},
    {VAE, "block_out_channels", "[]", NULL},
    {VAE, "block_out_channels", "[8, 16, 8, 16, 8, 16, 8, 16, 8, 16]", NULL},
    {VAE, "block_out_channels", "[8, -16]", NULL},
    {VAE, "block_out_channels", "[8, 17]", NULL},
    {VAE, "block_out_channels", "8", NULL},
    {VAE, "down_block_types", "[]", NULL},
    {VAE, "up_block_types", "[\"UpDecoderBlock2D\", \"UpDecoderBlock2D\", \"UpDecoderBlock2D\"]", NULL},
    {VAE, "layers_per_block", "0", NULL},
    {VAE, "layers_per_block", "1000000000", NULL},
    {VAE, "norm_num_groups", "0", NULL},
    {VAE, "norm_num_groups", "-1", NULL},
    {VAE, "norm_num_groups", "4294967297", NULL},
    {VAE, "sample_size", "0", NULL},
    {VAE, "sample_size", "65536", "`sample_size` is 65536, expected 1 to 16384"},
    {VAE, "scaling_factor", "0", "scaling_factor"},
    {VAE, "scaling_factor", "-0.18", "scaling_factor"},
    {VAE, "scaling_factor", "1e300", "scaling_factor"},
    {VAE, "scaling_factor", "1e-300", "scaling_factor"},
    {VAE, "scaling_factor", "1e999", "real number overflow"},
    {VAE, "scaling_factor", "\"a\"", NULL},
    {VAE, "shift_factor", "-1e300", "shift_factor"},
    {VAE, "force_upcast", "3", NULL},
    {UNET, "in_channels", "3", "`in_channels` is 3, expected 4 to 9"},
    {UNET, "in_channels", "4096", "`in_channels` is 4096, expected 4 to 9"},
    {UNET, "in_channels", "9223372036854775807", NULL},
    {UNET, "in_channels", "99999999999999999999", "too big integer"},
    {UNET, "out_channels", "8", "`out_channels` is 8, expected 4"},
    {UNET, "out_channels", "1", "`out_channels` is 1, expected 4"},
    {UNET, "sample_size", "65536", "`sample_size` is 65536, expected 1 to 8192"},
    {UNET, "sample_size", "-1", NULL},
    {UNET, "sample_size", "0", NULL},
    {UNET, "block_out_channels", "[]", NULL},
    {UNET, "block_out_channels", "[16, 32, 16, 32, 16, 32, 16, 32, 16, 32, 16, 32]", NULL},
    {UNET, "block_out_channels", "[0, 32]", NULL},
    {UNET, "block_out_channels", "[1e9, 32]", NULL},
    {UNET, "block_out_channels", "[[16], 32]", NULL},
    {UNET, "block_out_channels", "[16, 32, 32]", "block_types"},
    {UNET, "down_block_types", "[]", NULL},
    {UNET, "down_block_types", "[\"DownBlock2D\", \"DownBlock2D\", \"DownBlock2D\"]", NULL},
    {UNET, "down_block_types", "[\"AttnDownBlock2D\", \"DownBlock2D\"]", NULL},
    {UNET, "down_block_types", "[1, 2]", NULL},
    {UNET, "up_block_types", "\"UpBlock2D\"", NULL},
    {UNET, "mid_block_type", "\"UNetMidBlock2DSimpleCrossAttn\"", NULL},
    {UNET, "layers_per_block", "0", NULL},
    {UNET, "layers_per_block", "33", NULL},
    {UNET, "layers_per_block", "[1, 1]", NULL},
    {UNET, "transformer_layers_per_block", "0", NULL},
    {UNET, "transformer_layers_per_block", "2147483647", NULL},
    {UNET, "transformer_layers_per_block", "[]", NULL},
    {UNET, "attention_head_dim", "0", NULL},
    {UNET, "attention_head_dim", "-8", NULL},
    {UNET, "attention_head_dim", "3", "num_attention_heads"},
    {UNET, "attention_head_dim", "[2, 2, 2]", NULL},
    {UNET, "num_attention_heads", "[]", NULL},
    {UNET, "norm_num_groups", "0", NULL},
    {UNET, "norm_num_groups", "3", NULL},
    {UNET, "norm_eps", "0", "norm_eps"},
    {UNET, "norm_eps", "-1", "norm_eps"},
    {UNET, "freq_shift", "8", "freq_shift"},
    {UNET, "cross_attention_dim", "32", "`cross_attention_dim` is 32, expected 16"},
    {UNET, "cross_attention_dim", "0", NULL},
    {UNET, "class_embed_type", "\"timestep\"", "class_embed_type"},
    {UNET, "class_embed_type", "\"identity\"", NULL},
    {UNET, "num_class_embeds", "1000", "num_class_embeds"},
    {UNET, "num_class_embeds", "99999999", NULL},
    {UNET, "addition_embed_type", "\"text_time\"", "addition_time_embed_dim"},
    {UNET, "addition_embed_type", "\"image\"", NULL},
    {UNET, "act_fn", "\"relu\"", NULL},
    {UNET, "_class_name", "\"FluxTransformer2DModel\"", NULL},
    {TEXT, "vocab_size", "0", NULL},
    {TEXT, "vocab_size", "99999999999", NULL},
    {TEXT, "hidden_size", "0", NULL},
    {TEXT, "hidden_size", "65537", NULL},
    {TEXT, "intermediate_size", "-1", NULL},
    {TEXT, "intermediate_size", "1048576", NULL},
    {TEXT, "num_hidden_layers", "0", NULL},
    {TEXT, "num_hidden_layers", "257", NULL},
    {TEXT, "num_hidden_layers", "1000000", NULL},
    {TEXT, "num_attention_heads", "0", NULL},
    {TEXT, "num_attention_heads", "-2", NULL},
    {TEXT, "num_attention_heads", "3", NULL},
    {TEXT, "max_position_embeddings", "0", NULL},
    {TEXT, "hidden_act", "\"relu\"", NULL},
    {TEXT, "layer_norm_eps", "0", NULL},
    {TEXT, "layer_norm_eps", "1", NULL},
    {TEXT, "eos_token_id", "-1", NULL},
    {TEXT, "bos_token_id", "4294967296", NULL},
    {SCHEDULER, "beta_start", "-1", NULL},
    {SCHEDULER, "beta_start", "0.5", NULL},
    {SCHEDULER, "beta_start", "0", NULL},
    {SCHEDULER, "beta_end", "1", NULL},
    {SCHEDULER, "beta_end", "1e300", NULL},
    {SCHEDULER, "num_train_timesteps", "0", NULL},
    {SCHEDULER, "num_train_timesteps", "1", NULL},
    {SCHEDULER, "num_train_timesteps", "2147483648", NULL},
    {SCHEDULER, "steps_offset", "-1", NULL},
    {SCHEDULER, "steps_offset", "100000", NULL},
    {SCHEDULER, "trained_betas", "[0.1, 0.2]", NULL},
    {SCHEDULER, "beta_schedule", "\"cubic\"", NULL},
    {SCHEDULER, "prediction_type", "\"flow\"", NULL},
};

static void hostile_members_are_named(void **state) {
  sumi_context *ctx = *state;
  int wrong = 0;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const hostile *h = &cases[i];
    write_changed(configs[h->config], h->key, h->value);
    const sumi_status status = draw(ctx);
    const char *says = sumi_context_error(ctx), *expected = h->says ? h->says : h->key;
    const bool allowed = !*expected && status == SUMI_OK;
    if (!allowed &&
        (status == SUMI_OK || !strstr(says, configs[h->config]) || !strstr(says, expected) || strchr(says, '\n'))) {
      print_error("%s: %s = %s: %s\n", configs[h->config], h->key, h->value, status == SUMI_OK ? "was taken" : says);
      wrong++;
    }
    write_changed(configs[h->config], NULL, NULL);
  }
  assert_int_equal(wrong, 0);
  assert_ok(ctx, draw(ctx));
}

/* What a text encoder's configuration must have in common with its tokenizer. */
static void text_encoders_must_fit(void **state) {
  static const hostile unfit[] = {{TEXT, "vocab_size", "5", NULL}, {TEXT, "max_position_embeddings", "76", NULL}};
  sumi_context *ctx = *state;
  for (int i = 0; i < 2; i++) {
    write_changed(configs[TEXT], unfit[i].key, unfit[i].value);
    assert_int_not_equal(draw(ctx), SUMI_OK);
    assert_error(ctx, "hostile: ", unfit[i].key);
    write_changed(configs[TEXT], NULL, NULL);
  }
}

/* The largest networks that the limits allow are refused for their tensors, and soon: what is made of a configuration
 * alone is small. */
static void large_networks_are_refused_soon(void **state) {
  static const hostile large[] = {
      {UNET, "layers_per_block", "32", NULL},
      {UNET, "transformer_layers_per_block", "32", NULL},
      {UNET, "block_out_channels", "[16, 65536]", NULL},
      {VAE, "layers_per_block", "32", NULL},
      {VAE, "block_out_channels", "[8, 65536]", NULL},
      {TEXT, "num_hidden_layers", "256", NULL},
      {TEXT, "max_position_embeddings", "65536", NULL},
      {TEXT, "vocab_size", "16777216", NULL},
      {TEXT, "intermediate_size", "65536", NULL},
  };
  sumi_context *ctx = *state;
  const clock_t begin = clock();
  for (size_t i = 0; i < sizeof large / sizeof *large; i++) {
    sumi_model_report *report = NULL;
    write_changed(configs[large[i].config], large[i].key, large[i].value);
    if (draw(ctx) != SUMI_MISMATCH) fail_msg("%s: %s", large[i].key, sumi_context_error(ctx));
    assert_error(ctx, "hostile/");
    assert_ok(ctx, sumi_model_inspect(ctx, "hostile", NULL, &report));
    assert_true(report->fault_count > 0);
    sumi_model_report_free(report);
    write_changed(configs[large[i].config], NULL, NULL);
  }
  assert_true((double)(clock() - begin) / CLOCKS_PER_SEC < 120.0);
}

/* All of the largest at once: too many blocks, and as many as may be. */
static void the_largest_network_ends(void **state) {
  static const char *const blocks[] = {"\"CrossAttnDownBlock2D\"", "\"CrossAttnUpBlock2D\""};
  static const int layers[] = {32, 1}, depths[] = {32, 20};
  sumi_context *ctx = *state;
  char text[4096], list[2][1024] = {"", ""};
  for (int k = 0; k < 2; k++)
    for (int i = 0; i < 8; i++) snprintf(list[k] + strlen(list[k]), 64, "%s%s", i ? ", " : "", blocks[k]);
  const clock_t begin = clock();
  for (int k = 0; k < 2; k++) {
    sumi_model_report *report = NULL;
    const int n = snprintf(text, sizeof text,
                           "{\"block_out_channels\": [64, 64, 64, 64, 64, 64, 64, 64], \"down_block_types\": [%s], "
                           "\"up_block_types\": [%s], \"layers_per_block\": %d, \"transformer_layers_per_block\": %d, "
                           "\"cross_attention_dim\": 16}",
                           list[0], list[1], layers[k], depths[k]);
    write_plain("hostile/unet/config.json", text, (size_t)n);
    assert_int_equal(sumi_model_inspect(ctx, "hostile", NULL, &report), k ? SUMI_OK : SUMI_INVALID);
    if (!k) assert_error(ctx, "hostile/unet/config.json", "make 17160 blocks, expected at most 512");
    sumi_model_report_free(report);
    assert_int_not_equal(draw(ctx), SUMI_OK);
  }
  assert_true((double)(clock() - begin) / CLOCKS_PER_SEC < 120.0);
  write_changed(configs[UNET], NULL, NULL);
}

/* A configuration that is cut off anywhere is an error, or says less. */
static void configurations_cut_anywhere(void **state) {
  sumi_context *ctx = *state;
  for (int k = 0; k < 4; k++) {
    size_t bytes;
    char *text = read_plain(golden(configs[k]), &bytes), path[256];
    snprintf(path, sizeof path, "hostile/%s", configs[k]);
    while (bytes && (text[bytes - 1] == '\n' || text[bytes - 1] == ' ')) bytes--;
    for (size_t n = 0; n < bytes; n++) {
      sumi__model *m = NULL;
      write_plain(path, text, n);
      if (sumi__model_open(ctx, "hostile", NULL, &m) == SUMI_OK) fail_msg("%s: %zu bytes were taken", path, n);
      assert_error(ctx, configs[k]);
    }
    write_changed(configs[k], NULL, NULL);
    free(text);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(hostile_members_are_named),       cmocka_unit_test(text_encoders_must_fit),
      cmocka_unit_test(large_networks_are_refused_soon), cmocka_unit_test(the_largest_network_ends),
      cmocka_unit_test(configurations_cut_anywhere),
  };
  return cmocka_run_group_tests_name("hostile configurations", tests, make_folder, support_teardown);
}
