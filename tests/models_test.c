/* Layers' parameters, the digit classifier, and models as folders. */
#include "support.h"

#include "io/safetensors.h"
#include "models/model_folder.h"
#include "models/weights_file.h"

#include <math.h>
#include <zlib.h>

typedef struct bench {
  sumi_context *ctx;
  sumi_graph *g;
  sumi_weights *weights;
  sumi__rng rng;
  sumi__nn nn;
} bench;

static void open_bench(bench *b, void **state) {
  b->ctx = *state;
  assert_ok(b->ctx, sumi_graph_create(b->ctx, &b->g));
  assert_ok(b->ctx, sumi_weights_create(b->ctx, &b->weights));
  sumi__rng_seed(&b->rng, 0);
  b->nn = sumi__nn_root(b->g, b->weights);
  b->nn.init = &b->rng;
}

static void close_bench(bench *b) {
  sumi_weights_free(b->weights);
  sumi_graph_free(b->g);
}

static void fresh_graph(bench *b) {
  sumi_graph_free(b->g);
  assert_ok(b->ctx, sumi_graph_create(b->ctx, &b->g));
  b->nn.g = b->g;
}

/* torch.manual_seed(0), then nn.Linear(3, 2), nn.Conv2d(2, 3, 2), nn.ConvTranspose2d(3, 2, 2), nn.Embedding(5, 4):
 * the same values to the last bit (CRC-32 of the tensors' bytes in PyTorch 2.15). */
static void layers_start_as_in_torch(void **state) {
  static const struct {
    const char *name;
    uint32_t crc;
  } expected[] = {{"net.linear.weight", 0xc667d7c1}, {"net.linear.bias", 0x56e3f0c2},  {"net.conv.weight", 0xde1b39b7},
                  {"net.conv.bias", 0x9d476d4f},     {"net.tconv.weight", 0xf1700486}, {"net.tconv.bias", 0xe946aa87},
                  {"net.table.weight", 0x933bbb35}};
  bench b;
  open_bench(&b, state);
  sumi_tensor *x = sumi_input(b.g, "x", SUMI_F32, SUMI_SHAPE(1, 4, 4, 3));
  sumi_tensor *two = sumi_input(b.g, "two", SUMI_F32, SUMI_SHAPE(1, 4, 4, 2));
  sumi_tensor *ids = sumi_input(b.g, "ids", SUMI_I64, SUMI_SHAPE(7));
  const sumi__nn scope = sumi__nn_scope(&b.nn, "net");
  sumi__nn_linear(&scope, "linear", x, 2, true);
  sumi__nn_conv2d(&scope, "conv", two, 3, 2, NULL, true);
  sumi__nn_conv_transpose2d(&scope, "tconv", x, 2, 2, NULL, 0, true);
  sumi__nn_embedding(&scope, "table", ids, 5, 4);
  assert_ok(b.ctx, sumi_graph_status(b.g));
  assert_int_equal(sumi_weights_count(b.weights), sizeof expected / sizeof *expected);
  for (size_t i = 0; i < sumi_weights_count(b.weights); i++) {
    const sumi__weight *w = sumi__weights_at(b.weights, i);
    float values[64];
    assert_string_equal(w->name, expected[i].name);
    sumi__weight_to_file_order(w, values, w->data);
    const size_t bytes = (size_t)sumi_shape_count(&w->shape) * sizeof(float);
    assert_int_equal(crc32(0, (const Bytef *)values, (uInt)bytes), expected[i].crc);
  }
  close_bench(&b);
}

/* A second build finds the parameters; another shape and a missing one are named. */
static void parameters_are_found_again(void **state) {
  bench b;
  open_bench(&b, state);
  assert_non_null(sumi__nn_linear(&b.nn, "a", sumi_input(b.g, "x", SUMI_F32, SUMI_SHAPE(2, 3)), 4, true));
  const float first = *(float *)sumi_weights_data(b.weights, 0);
  fresh_graph(&b);
  assert_non_null(sumi__nn_linear(&b.nn, "a", sumi_input(b.g, "x", SUMI_F32, SUMI_SHAPE(9, 3)), 4, true));
  assert_int_equal(sumi_weights_count(b.weights), 2);
  assert_true(*(float *)sumi_weights_data(b.weights, 0) == first);
  fresh_graph(&b);
  assert_null(sumi__nn_linear(&b.nn, "a", sumi_input(b.g, "x", SUMI_F32, SUMI_SHAPE(9, 5)), 4, true));
  assert_int_equal(sumi_graph_status(b.g), SUMI_MISMATCH);
  assert_error(b.ctx, "'a.weight'", "[4, 3]", "[4, 5]");
  fresh_graph(&b);
  b.nn.init = NULL;
  assert_null(sumi__nn_linear(&b.nn, "b", sumi_input(b.g, "x", SUMI_F32, SUMI_SHAPE(9, 3)), 4, true));
  assert_int_equal(sumi_graph_status(b.g), SUMI_NOT_FOUND);
  assert_error(b.ctx, "'b.weight'");
  close_bench(&b);
}

static void names_have_a_limit(void **state) {
  bench b;
  open_bench(&b, state);
  sumi__nn scope = sumi__nn_scope(&b.nn, "a_name_of_thirty_two_characters_");
  for (int i = 0; i < 8; i++) scope = sumi__nn_scope(&scope, "a_name_of_thirty_two_characters_");
  assert_int_equal(sumi_graph_status(b.g), SUMI_INVALID);
  assert_error(b.ctx, "longer than");
  close_bench(&b);
}

/* Dropout is there while training alone. */
static void dropout_follows_the_mode(void **state) {
  bench b;
  open_bench(&b, state);
  sumi_tensor *x = sumi_input(b.g, "x", SUMI_F32, SUMI_SHAPE(2, 3));
  assert_ptr_equal(sumi__nn_dropout(&b.nn, x, 0.5f), x);
  b.nn.training = true;
  b.nn.random = sumi_input(b.g, "state", SUMI_I64, SUMI_SHAPE(2));
  assert_ptr_equal(sumi__nn_dropout(&b.nn, x, 0.0f), x);
  assert_ptr_not_equal(sumi__nn_dropout(&b.nn, x, 0.5f), x);
  assert_ok(b.ctx, sumi_graph_status(b.g));
  close_bench(&b);
}

/* ---- Folders ---- */

static sumi__score_unet_config tiny(sumi__score_unet_variant variant) {
  sumi__score_unet_config c = sumi__score_unet_defaults(variant);
  memcpy(c.channels, (int64_t[4]){4, 8, 8, 12}, sizeof c.channels);
  c.embed_dim = 6;
  c.text_dim = 5;
  c.classes = 3;
  c.sigma = 20.0;
  return c;
}

static void make_unet(bench *b, const sumi__score_unet_config *c) {
  assert_non_null(sumi__score_unet(&b->nn, c, sumi_input(b->g, "x", SUMI_F32, SUMI_SHAPE(2, 28, 28, 1)),
                                   sumi_input(b->g, "t", SUMI_F32, SUMI_SHAPE(2)),
                                   sumi_input(b->g, "labels", SUMI_I64, SUMI_SHAPE(2))));
}

static void assert_same_weights(sumi_weights *a, sumi_weights *b) {
  assert_int_equal(sumi_weights_count(a), sumi_weights_count(b));
  for (size_t i = 0; i < sumi_weights_count(a); i++) {
    const sumi__weight *w = sumi__weights_at(a, i);
    const int64_t j = sumi_weights_find(b, w->name);
    assert_true(j >= 0);
    const sumi__weight *v = sumi__weights_at(b, (size_t)j);
    assert_true(sumi_shape_equal(&w->shape, &v->shape) && w->layout == v->layout && w->trainable == v->trainable);
    assert_memory_equal(w->data, v->data, (size_t)sumi_shape_count(&w->shape) * sizeof(float));
  }
}

static void score_networks_come_back(void **state) {
  for (int variant = 0; variant < SUMI__SCORE_UNET_VARIANTS; variant++) {
    bench b;
    sumi__score_unet_config found, c = tiny((sumi__score_unet_variant)variant);
    sumi_weights *loaded = NULL;
    open_bench(&b, state);
    make_unet(&b, &c);
    for (int twice = 0; twice < 2; twice++) /* a second save replaces the first */
      assert_ok(b.ctx, sumi__score_unet_save(b.ctx, "a/new/folder", &c, b.weights));
    assert_ok(b.ctx, sumi__score_unet_load(b.ctx, "a/new/folder", &found, &loaded));
    assert_same_weights(b.weights, loaded);
    assert_int_equal(found.variant, c.variant);
    assert_memory_equal(found.channels, c.channels, sizeof c.channels);
    assert_int_equal(found.embed_dim, c.embed_dim);
    assert_true(found.sigma == c.sigma);
    if (c.variant == SUMI__SCORE_UNET_ATTENTION) {
      assert_int_equal(found.text_dim, c.text_dim);
      assert_int_equal(found.classes, c.classes);
    }
    sumi_weights_free(loaded);
    close_bench(&b);
  }
}

/* Convolutions lie in the file as PyTorch has them. */
static void files_have_torch_order(void **state) {
  bench b;
  sumi__score_unet_config c = tiny(SUMI__SCORE_UNET_ADD);
  sumi_safetensors *file = NULL;
  open_bench(&b, state);
  make_unet(&b, &c);
  assert_ok(b.ctx, sumi__score_unet_save(b.ctx, "order", &c, b.weights));
  assert_ok(b.ctx, sumi_safetensors_open(b.ctx, "order/unet/diffusion_pytorch_model.safetensors", &file));
  const sumi_safetensors_tensor *t = sumi_safetensors_find(file, "conv2.weight");
  const sumi__weight *w = sumi__weights_at(b.weights, (size_t)sumi_weights_find(b.weights, "conv2.weight"));
  assert_memory_equal(t->dims, ((int64_t[4]){8, 4, 3, 3}), 4 * sizeof(int64_t)); /* here it is 8, 3, 3, 4 */
  for (int o = 0; o < 8; o++)
    for (int i = 0; i < 4; i++)
      for (int k = 0; k < 9; k++) {
        float value;
        memcpy(&value, (const char *)t->data + sizeof value * (size_t)((o * 4 + i) * 9 + k), sizeof value);
        assert_true(value == ((const float *)w->data)[(o * 9 + k) * 4 + i]);
      }
  sumi_safetensors_close(file);
  close_bench(&b);
}

/* Replaces `from` by `to` in a text file. */
static void edit(const char *path, const char *from, const char *to) {
  char *text = read_plain(path, NULL), *at = strstr(text, from);
  assert_non_null(at);
  char *changed = calloc(1, strlen(text) + strlen(to) + 1);
  assert_non_null(changed);
  memcpy(changed, text, (size_t)(at - text));
  strcat(changed, to);
  strcat(changed, at + strlen(from));
  write_plain(path, changed, strlen(changed));
  free(changed);
  free(text);
}

/* A folder with one edit does not load, and the error has these words. */
static void refuse(sumi_context *ctx, const char *path, const char *from, const char *to, sumi_status code,
                   const char *words) {
  sumi__score_unet_config c;
  sumi_weights *weights = NULL;
  char full[256];
  snprintf(full, sizeof full, "bad/%s", path);
  edit(full, from, to);
  assert_int_equal(sumi__score_unet_load(ctx, "bad", &c, &weights), code);
  assert_null(weights);
  assert_error(ctx, "bad/", words);
  edit(full, to, from);
}

static void wrong_folders_are_refused(void **state) {
  bench b;
  sumi__score_unet_config found, c = tiny(SUMI__SCORE_UNET_ATTENTION);
  sumi_weights *weights = NULL;
  open_bench(&b, state);
  make_unet(&b, &c);
  assert_ok(b.ctx, sumi__score_unet_save(b.ctx, "bad", &c, b.weights));
  const char *unet = "unet/config.json";
  refuse(b.ctx, unet, "\"ScoreUNet\"", "\"UNet2DModel\"", SUMI_UNSUPPORTED, "UNet2DModel");
  refuse(b.ctx, unet, "\"attention\"", "\"telepathy\"", SUMI_FORMAT, "telepathy");
  refuse(b.ctx, unet, "\"embed_dim\": 6", "\"embed_dim\": 8", SUMI_MISMATCH, "time_embed");
  refuse(b.ctx, unet, "\"embed_dim\": 6", "\"embed_dim\": 7", SUMI_INVALID, "embed_dim");
  refuse(b.ctx, unet, "\"embed_dim\": 6", "\"embed_dim\": -6", SUMI_FORMAT, "embed_dim");
  refuse(b.ctx, unet, "\"classes\"", "\"glasses\"", SUMI_FORMAT, "classes");
  refuse(b.ctx, unet, "\"attention\"", "\"concat\"", SUMI_MISMATCH, "safetensors"); /* another network */
  refuse(b.ctx, unet, "\"attention\"", "\"add\"", SUMI_MISMATCH, "attn");           /* tensors left over */
  refuse(b.ctx, unet, "12", "13", SUMI_INVALID, "channels[3]");
  refuse(b.ctx, unet, "12", "12, 12", SUMI_FORMAT, "channels");
  refuse(b.ctx, "scheduler/scheduler_config.json", "\"sigma\": 20", "\"sigma\": 0", SUMI_INVALID, "sigma");
  refuse(b.ctx, "model_index.json", "ScoreDigitsPipeline", "StableDiffusionPipeline", SUMI_UNSUPPORTED, "Stable");
  refuse(b.ctx, "model_index.json", "ScoreDigitsPipeline", "a\\u009b[2Jb", SUMI_UNSUPPORTED, "`a?[2Jb`");
  refuse(b.ctx, unet, "\"attention\"", "\"a\\u000ab\"", SUMI_FORMAT, "`a?b`");
  assert_ok(b.ctx, sumi__score_unet_load(b.ctx, "bad", &found, &weights)); /* all edits are undone */
  sumi_weights_free(weights);
  assert_int_equal(sumi__score_unet_load(b.ctx, "nowhere", &found, &weights), SUMI_NOT_FOUND);
  assert_error(b.ctx, "nowhere/model_index.json");
  close_bench(&b);
}

/* A save that fails keeps the weights that were there, whichever of the files it fails at. */
static void failed_saves_lose_nothing(void **state) {
  static const char *const blocked[] = {"kept/model_index.json", "kept/unet/config.json",
                                        "kept/unet/diffusion_pytorch_model.safetensors"};
  bench b;
  sumi__score_unet_config found, c = tiny(SUMI__SCORE_UNET_ADD);
  open_bench(&b, state);
  make_unet(&b, &c);
  assert_ok(b.ctx, sumi__score_unet_save(b.ctx, "kept", &c, b.weights));
  for (int i = 0; i < 3; i++) {
    sumi_weights *loaded = NULL;
    float *first = sumi_weights_data(b.weights, 0), old = *first;
    assert_int_equal(rename(blocked[i], "kept-aside"), 0);
    assert_int_equal(mkdir(blocked[i], 0700), 0); /* where the file would go */
    *first += 1.0f;
    assert_int_equal(sumi__score_unet_save(b.ctx, "kept", &c, b.weights), SUMI_IO);
    assert_error(b.ctx, "kept/");
    *first = old;
    assert_int_equal(rmdir(blocked[i]), 0);
    assert_int_equal(rename("kept-aside", blocked[i]), 0);
    assert_ok(b.ctx, sumi__score_unet_load(b.ctx, "kept", &found, &loaded));
    assert_same_weights(b.weights, loaded);
    sumi_weights_free(loaded);
  }
  close_bench(&b);
}

/* ---- The classifier ---- */

static void classifier_comes_back_and_is_small(void **state) {
  bench b;
  sumi__digit_classifier_config found, c = sumi__digit_classifier_defaults();
  sumi_weights *loaded = NULL;
  sumi_tensor *features = NULL;
  open_bench(&b, state);
  c.dropout = 0.25;
  sumi_tensor *x = sumi_input(b.g, "x", SUMI_F32, SUMI_SHAPE(5, 28, 28, 1));
  sumi_tensor *logits = sumi__digit_classifier(&b.nn, &c, x, &features);
  assert_ok(b.ctx, sumi_graph_status(b.g));
  const sumi_shape expected = SUMI_SHAPE(5, 10), wide = SUMI_SHAPE(5, 128);
  assert_true(sumi_shape_equal(&logits->shape, &expected) && sumi_shape_equal(&features->shape, &wide));
  assert_true(sumi__weights_trained(b.weights) * 4 < 1000000);
  assert_ok(b.ctx, sumi__digit_classifier_save(b.ctx, "judge", &c, b.weights));
  assert_ok(b.ctx, sumi__digit_classifier_load(b.ctx, "judge", &found, &loaded));
  assert_same_weights(b.weights, loaded);
  assert_true(found.dropout == c.dropout && found.mean == c.mean && found.std == c.std);
  sumi_weights_free(loaded);
  edit("judge/config.json", "0.25", "1.5");
  assert_int_equal(sumi__digit_classifier_load(b.ctx, "judge", &found, &loaded), SUMI_INVALID);
  assert_error(b.ctx, "judge/config.json", "dropout");
  close_bench(&b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(layers_start_as_in_torch),
      cmocka_unit_test(parameters_are_found_again),
      cmocka_unit_test(names_have_a_limit),
      cmocka_unit_test(dropout_follows_the_mode),
      cmocka_unit_test(score_networks_come_back),
      cmocka_unit_test(files_have_torch_order),
      cmocka_unit_test(wrong_folders_are_refused),
      cmocka_unit_test(failed_saves_lose_nothing),
      cmocka_unit_test(classifier_comes_back_and_is_small),
  };
  return cmocka_run_group_tests(tests, support_setup, support_teardown);
}
